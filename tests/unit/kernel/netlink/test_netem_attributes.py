from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.kernel.netlink.netem_attributes import (
    CERTAIN,
    LATENCY64,
    MOST_JITTER_NS,
    PRNG_SEED,
    RATE,
    RATE64,
    FourStates,
    GilbertElliott,
    Netem,
    NetemSlots,
    differences,
    unpack,
)

chances = st.integers(0, CERTAIN)
times = st.integers(0, 2**63 - 1)
signed = st.integers(-(2**31), 2**31 - 1)
counts = st.integers(0, 2**31 - 1)
tables = st.lists(st.integers(-32768, 32767), max_size=40).map(tuple)
netems = st.builds(
    Netem,
    limit=chances,
    latency_ns=times,
    jitter_ns=st.integers(0, MOST_JITTER_NS),
    loss=chances,
    gap=chances,
    duplicate=chances,
    delay_corr=chances,
    loss_corr=chances,
    duplicate_corr=chances,
    reorder=chances,
    reorder_corr=chances,
    corrupt=chances,
    corrupt_corr=chances,
    model=st.none()
    | st.builds(FourStates, chances, chances, chances, chances, chances)
    | st.builds(GilbertElliott, chances, chances, chances, chances),
    rate=st.integers(0, 2**64 - 1),
    packet_overhead=signed,
    cell_size=chances,
    cell_overhead=signed,
    ecn=st.booleans(),
    slots=st.builds(NetemSlots, times, times, counts, counts, times, st.integers(0, MOST_JITTER_NS)),
    seed=st.none() | st.integers(0, 2**64 - 1),
    delay_table=tables,
    slot_table=tables,
)


def kinds(options: bytes) -> list[int]:
    found, place = [], 24
    while place < len(options):
        length, kind = struct.unpack_from("=HH", options, place)
        found.append(kind & 0x3FFF)
        place += (length + 3) & ~3
    return found


@given(netems)
def test_what_is_packed_is_unpacked(asked: Netem) -> None:
    seen = unpack(asked.pack())
    assert seen == asked
    assert (seen.delay_table, seen.slot_table) == (asked.delay_table, asked.slot_table)


@given(netems)
def test_what_the_kernel_makes_of_it_is_no_difference(asked: Netem) -> None:
    assert differences(asked, asked.held()) == []


def test_the_bytes_are_those_of_the_kernels_headers() -> None:
    options = Netem(limit=7, latency_ns=640, jitter_ns=128, loss=1, gap=2, duplicate=3).pack()
    assert struct.unpack_from("=6I", options) == (10, 7, 1, 2, 3, 2)
    assert len(options) == 24 + 16 + 12 + 12 + 20 + 8 + 12 + 12 + 44


def test_zeros_are_written_too_since_the_kernel_keeps_what_is_left_out() -> None:
    assert kinds(Netem().pack()) == [1, 3, 4, 6, 7, 10, 11, 12]


def test_a_rate_beyond_32_bits_is_told_twice() -> None:
    options = Netem(rate=2**32).pack()
    assert kinds(options).count(RATE) == kinds(options).count(RATE64) == 1
    assert unpack(options).rate == 2**32
    assert RATE64 not in kinds(Netem(rate=CERTAIN).pack())


def test_a_seed_is_told_only_when_asked() -> None:
    assert PRNG_SEED not in kinds(Netem().pack())
    assert differences(Netem(), Netem(seed=4711)) == []
    assert differences(Netem(seed=1), Netem(seed=2)) == ["seed: requested 1, found 2"]


def test_the_64_bit_form_of_a_time_wins_over_ticks() -> None:
    assert LATENCY64 in kinds(Netem(latency_ns=65).pack())
    assert unpack(Netem(latency_ns=65).pack()).latency_ns == 65
    assert unpack(Netem(latency_ns=65).pack()[:24]).latency_ns == 64
    assert unpack(Netem(latency_ns=2**62).pack()).latency_ns == 2**62


def test_a_kernel_cuts_off_jitter_and_tells_no_idle_slots() -> None:
    assert Netem(jitter_ns=2**40).held().jitter_ns == MOST_JITTER_NS
    assert Netem(slots=NetemSlots(packets=5)).held().slots == NetemSlots()


@pytest.mark.parametrize("field", ["loss", "rate", "gap", "latency_ns", "ecn", "model", "slots"])
def test_every_difference_is_named(field: str) -> None:
    others: dict[str, Any] = {"ecn": True, "model": GilbertElliott(1, 2, 3, 4), "slots": NetemSlots(1)}
    (found,) = differences(replace(Netem(), **{field: others.get(field, 9)}), Netem())
    assert found.startswith(f"{field}: requested ")


@pytest.mark.parametrize(
    "broken", [b"", b"\0" * 23, Netem().pack()[:-1], b"\0" * 24 + b"\x03\0\1\0", b"\0" * 24 + b"\x05\0\1\0\0\0\0\0"]
)
def test_what_is_no_netem_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="netem"):
        unpack(broken)


def test_a_table_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="16384"):
        Netem(delay_table=(0,) * 16385).pack()


def test_attributes_of_later_kernels_are_passed_over() -> None:
    assert unpack(Netem().pack() + struct.pack("=HHI", 8, 99, 5)) == Netem()
