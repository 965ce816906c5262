"""When packets leave: delay, jitter, order, duplicates, corruption, slots."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from netweather.conditions.distributions import table_of
from netweather.lines.params import ONE, LineParams
from tests.native.pump.core import MS, every, library, line

COUNT = 5000
RHO_HALF = 2**31
MAX_DELAY = 86_400 * 10**9

Records = npt.NDArray[np.void]


def delays(records: Records, gap: int, start: int = 10**9) -> npt.NDArray[np.float64]:
    """How long each packet was inside, in the order of arrival, in ms."""
    ordered = np.sort(records, order="number")
    return (ordered["time"].astype(float) - (ordered["number"].astype(float) * gap + start)) / MS


def jittered(distribution: str, seed: int = 3) -> LineParams:
    table = () if distribution == "uniform" else table_of(distribution)
    return LineParams(seed=seed, delay_ns=100 * MS, jitter_ns=10 * MS, delay_table=table)


def ks_distance(found: npt.NDArray[np.float64], distribution: str) -> float:
    if distribution == "uniform":
        return float(stats.kstest(found, stats.uniform(90, 20).cdf).statistic)
    if distribution == "normal":
        return float(stats.kstest(found, stats.norm(100, 10).cdf).statistic)
    wanted = 100 + 10 * np.sort(np.array(table_of(distribution))) / 8192
    return float(stats.kstest(found, lambda x: np.searchsorted(wanted, x, side="right") / len(wanted)).statistic)


def measured(params: LineParams, count: int = COUNT) -> npt.NDArray[np.float64]:
    with line(params) as core:
        return delays(core.run(every(MS, count)), MS)


@pytest.mark.parametrize("distribution", ["uniform", "normal", "pareto", "paretonormal"])
def test_jitter_has_its_distribution(distribution: str) -> None:
    assert ks_distance(measured(jittered(distribution)), distribution) < 0.05


@pytest.mark.parametrize("factor", [Fraction(7, 10), Fraction(13, 10)])
@pytest.mark.parametrize("distribution", ["uniform", "normal", "pareto", "paretonormal"])
def test_planted_jitter_is_caught(distribution: str, factor: Fraction) -> None:
    planted = replace(jittered(distribution), jitter_ns=int(10 * MS * factor))
    assert ks_distance(measured(planted), distribution) >= 0.05


def test_planted_distribution_is_caught() -> None:
    assert ks_distance(measured(jittered("uniform")), "normal") >= 0.05


@pytest.mark.parametrize("rho", [0, RHO_HALF, round(0.9 * (ONE - 1))])
def test_jitter_correlation_is_netems(rho: int) -> None:
    found = measured(replace(jittered("uniform"), delay_rho=rho), 50_000)
    assert np.corrcoef(found[:-1], found[1:])[0, 1] == pytest.approx(rho / ONE, abs=0.03)


def test_a_plain_delay_is_exact() -> None:
    with line(LineParams(delay_ns=50 * MS)) as core:
        records = core.run(every(1000, 10_000))
    assert (delays(records, 1000) == 50).all()
    assert (records["number"] == np.arange(10_000)).all()


def test_jitter_below_zero_is_zero() -> None:
    found = measured(LineParams(seed=1, delay_ns=MS, jitter_ns=10 * MS))
    assert found.min() == 0
    assert found.max() <= 11


def test_jitter_reorders_and_keep_order_does_not() -> None:
    with line(replace(jittered("normal"), jitter_ns=5 * MS)) as core:
        free = core.run(every(100_000, COUNT))
    with line(replace(jittered("normal"), jitter_ns=5 * MS, keep_order=True)) as core:
        kept = core.run(every(100_000, COUNT))
    assert (np.diff(free["number"].astype(int)) < 0).sum() > 1000
    assert (np.diff(kept["number"].astype(int)) == 1).all()
    assert (np.diff(kept["time"].astype(int)) >= 0).all()


def test_100_000_packets_wait() -> None:
    with line(jittered("normal")) as core:
        core.run(every(400, 100_000), 100, drain=False)
        assert core.stats.queued_packets == 100_000
        assert core.memory < 64 << 20
        core.run(every(1, 0))
        assert core.stats.queued_packets == 0
        assert core.memory < 4 << 20  # given back


@pytest.mark.parametrize("seed", range(5))
def test_queue_sorts_stably(seed: int) -> None:
    times = np.random.default_rng(seed).integers(0, 300, 20_000).astype("<u8")
    order = np.zeros(len(times), dtype="<u4")
    assert library().nwt_sort(times.ctypes.data, len(times), order.ctypes.data)
    assert (order == np.argsort(times, kind="stable")).all()


# Duplicates, corruption, reordering -------------------------------------------------------------------------------------------


def test_share_of_duplicates() -> None:
    count = 100_000
    with line(LineParams(seed=1, duplicate_p=ONE // 20)) as core:
        records = core.run(every(1000, count))
    low, high = stats.binom.interval(1 - 1e-6, count, 0.05)
    assert low <= len(records) - count <= high
    assert set(Counter(records["number"].tolist()).values()) == {1, 2}


def test_copy_has_a_delay_of_its_own() -> None:
    with line(replace(jittered("normal"), duplicate_p=ONE)) as core:
        records = np.sort(core.run(every(MS, COUNT)), order="number")
    pairs = records["time"].astype(np.int64).reshape(-1, 2)
    assert (pairs[:, 0] != pairs[:, 1]).mean() > 0.9


def test_share_and_place_of_corruption() -> None:
    count, size = 100_000, 200
    with line(LineParams(seed=1, corrupt_p=ONE // 10)) as core:
        records = core.run(every(1000, count), size)
    bits = records["flip"][records["flip"] > 0].astype(int) - 1
    low, high = stats.binom.interval(1 - 1e-6, count, 0.1)
    assert low <= len(bits) <= high
    assert bits.min() >= 14 * 8
    assert bits.max() < size * 8
    assert stats.kstest(bits, stats.uniform(14 * 8, (size - 14) * 8).cdf).pvalue > 1e-6


def test_one_bit_is_flipped() -> None:
    frame = bytes(12) + b"\x88\xb5" + bytes(range(200))
    with line(LineParams(seed=1, corrupt_p=ONE)) as core:
        core.feed(frame)
        (out,) = core.take_all(0)
    assert sum((a ^ b).bit_count() for a, b in zip(frame, out.data, strict=True)) == 1


def test_every_gapth_packet_overtakes() -> None:
    with line(LineParams(delay_ns=10 * MS, reorder_p=ONE, gap=5)) as core:
        found = delays(core.run(every(MS, 100)), MS)
    assert list(np.flatnonzero(found == 0)) == list(range(4, 100, 5))
    assert set(found) == {0, 10}


def test_share_that_overtakes() -> None:
    with line(LineParams(seed=1, delay_ns=10 * MS, reorder_p=ONE // 4)) as core:
        found = delays(core.run(every(MS, 50_000)), MS)
    low, high = stats.binom.interval(1 - 1e-6, 50_000, 0.25)
    assert low <= (found == 0).sum() <= high


def test_mtu_is_a_black_hole() -> None:
    sizes = np.array([14 + 1300, 14 + 1301, 100, 1514], dtype="<u4")
    with line(LineParams(mtu=1300)) as core:
        records = core.run(every(1000, 4), sizes, tos=4)
        assert list(records["number"]) == [0, 2]
        assert core.stats.dropped_mtu == 2


# Slots ------------------------------------------------------------------------------------------------------------------------


def test_slots_gather_packets() -> None:
    with line(LineParams(slot_min_ns=20 * MS, slot_max_ns=20 * MS)) as core:
        records = core.run(every(MS, 1000))
    times = np.unique(records["time"])
    assert len(records) == 1000
    assert set(np.diff(times.astype(int))) == {21 * MS}  # the first packet behind a slot opens the next one
    assert delays(records, MS).max() == 20


def test_slots_let_so_many_packets_out() -> None:
    with line(LineParams(slot_min_ns=10 * MS, slot_packets=3)) as core:
        records = core.run(every(1000, 30))
    per_slot = Counter(records["time"].tolist())
    assert set(per_slot.values()) == {3}
    assert set(np.diff(sorted(per_slot))) == {10 * MS}


def test_slots_let_so_many_bytes_out() -> None:
    with line(LineParams(slot_min_ns=10 * MS, slot_bytes=2500)) as core:
        records = core.run(every(1000, 30), 1000)
    assert set(Counter(records["time"].tolist()).values()) == {3}  # the packet that uses a slot up still goes, as netem's


def test_slot_lengths_vary() -> None:
    with line(LineParams(seed=1, slot_min_ns=10 * MS, slot_max_ns=30 * MS)) as core:
        records = core.run(every(MS, 20_000))
    lengths = np.diff(np.unique(records["time"]).astype(float)) / MS
    assert 10 <= lengths.min() <= 12
    assert 29 <= lengths.max() <= 31  # and up to a millisecond until the next packet opens it
    assert lengths.mean() == pytest.approx(20.5, rel=0.05)


# Changes ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_changes_lose_and_reorder_nothing(seed: int) -> None:
    """Any change from one configuration that keeps the order to another: all arrive, once, in order."""
    rng = np.random.default_rng(seed)
    got, now = [], 10**9
    with line(LineParams()) as core:
        for _ in range(50):
            core.set(_ordered(rng), now)
            count = int(rng.integers(1, 60))
            got.append(core.run(every(100_000, count, start=now), drain=False))
            now += count * 100_000
        got.append(core.run(every(1, 0)))
        assert core.stats.changes == 51
        total = core.stats.rx_packets
    records = np.concatenate(got)
    assert (records["number"] == np.arange(total)).all()
    assert (np.diff(records["time"].astype(np.int64)) >= 0).all()


def _ordered(rng: np.random.Generator) -> LineParams:
    kind = rng.integers(0, 5)
    delay = int(rng.integers(0, 50)) * MS
    if kind == 0:
        return LineParams(delay_ns=delay)
    if kind == 1:
        return LineParams(delay_ns=delay, jitter_ns=delay // 3, keep_order=True)
    if kind == 2:
        return LineParams(delay_ns=delay, rate_bps=int(rng.integers(10**6, 10**9)))
    if kind == 3:
        return LineParams(delay_ns=delay, slot_min_ns=int(rng.integers(1, 10)) * MS)
    return LineParams(delay_ns=delay, rate_bps=10**8, policy=1, codel_target_ns=10**10)  # type: ignore[arg-type]


def test_absurd_values_do_no_harm() -> None:
    absurd = LineParams(delay_ns=2**63 - 1, jitter_ns=2**63 - 1, rate_bps=1, limit_packets=2**64 - 1, seed=1)
    with line(absurd) as core:
        records = core.run(every(1000, 100))
        assert core.stats.config_error == 1
        assert len(records) == 100
        assert records["time"].max() < 2**62
