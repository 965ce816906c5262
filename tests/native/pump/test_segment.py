"""Super-packets: decided segment by segment, and what comes out is what the wire would have carried."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.lines.params import ONE, LineParams, LossModel
from tests.native.pump import wire
from tests.native.pump.core import MS, Core, Frame, library, line
from tests.native.pump.harness import VNET

KINDS: list[dict[str, Any]] = [
    {},
    {"version": 6},
    {"tcp": False, "gso": 1200},
    {"version": 6, "tcp": False, "gso": 500},
    {"vlans": 1},
    {"version": 6, "vlans": 2},
    {"version": 6, "extension": True},
    {"flags": wire.ACK | wire.FIN | wire.PSH | wire.CWR},
]
PAYLOAD = bytes(i * 7 % 251 for i in range(64000))


def expanded(frames: list[Frame]) -> list[bytes]:
    return [piece for frame in frames for piece in wire.segmented(frame.data, VNET.pack(*frame.vnet))]


def through(params: LineParams, frame: bytes, vnet: bytes, until: int = 10**12) -> tuple[list[Frame], Core]:
    with line(params) as core:
        core.feed(frame, 0, vnet)
        return core.take_all(until), core


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_reference_itself(kind: dict[str, Any]) -> None:
    for piece in wire.segmented(*wire.make(PAYLOAD[:10_000], **kind)):
        assert wire.ip_is_right(piece)
        assert wire.transport_sum(piece) == 0xFFFF


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_plain_delay_passes_them_untouched(kind: dict[str, Any]) -> None:
    frame, vnet = wire.make(PAYLOAD, **kind)
    (out,), _ = through(LineParams(delay_ns=MS), frame, vnet)
    assert (out.data, VNET.pack(*out.vnet)) == (frame, vnet)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_survivors_are_the_wires_packets(kind: dict[str, Any], seed: int) -> None:
    frame, vnet = wire.make(PAYLOAD, **kind)
    pieces = wire.segmented(frame, vnet)
    with line(LineParams(seed=seed, loss_model=LossModel.RANDOM, loss_p=ONE // 5)) as core:
        core.feed(frame, 0, vnet)
        frames = core.take_all(0)
        assert core.stats.rx_packets == len(pieces)
        assert core.stats.rx_bytes == sum(map(len, pieces))
        assert core.stats.tx_packets + core.stats.lost == len(pieces)
        sent = core.stats.tx_packets
    found = expanded(frames)
    assert set(found) <= set(pieces)
    assert [pieces.index(piece) for piece in found] == sorted(pieces.index(piece) for piece in found)
    assert len(found) == sent
    assert len(frames) < len(found) * 0.6  # neighbours stay together


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_rate_sends_one_by_one_at_the_wires_pace(kind: dict[str, Any]) -> None:
    frame, vnet = wire.make(PAYLOAD, **kind)
    pieces = wire.segmented(frame, vnet)
    with line(LineParams(rate_bps=8 * 10**9)) as core:
        core.feed(frame, 0, vnet)
        frames = []
        while (now := core.next) < 2**63:
            frames += core.take_all(now)
    assert expanded(frames) == pieces
    assert frames[-1].due == sum(map(len, pieces))


def test_what_is_late_leaves_together() -> None:
    frame, vnet = wire.make(PAYLOAD)
    frames, _ = through(LineParams(rate_bps=8 * 10**9), frame, vnet)
    assert len(frames) == 1
    assert expanded(frames) == wire.segmented(frame, vnet)


def test_jitter_delays_segments_apart() -> None:
    frame, vnet = wire.make(PAYLOAD)
    with line(LineParams(seed=1, delay_ns=10 * MS, jitter_ns=5 * MS)) as core:
        core.feed(frame, 0, vnet)
        frames = []
        while (now := core.next) < 2**63:
            frames += core.take_all(now)
    assert sorted(expanded(frames)) == sorted(wire.segmented(frame, vnet))
    assert len({f.due for f in frames}) > 40


def test_duplicates_are_wire_packets() -> None:
    frame, vnet = wire.make(PAYLOAD)
    frames, _ = through(LineParams(seed=1, duplicate_p=ONE // 10), frame, vnet)
    found, pieces = expanded(frames), wire.segmented(frame, vnet)
    assert set(found) == set(pieces)
    assert len(pieces) < len(found) < 1.4 * len(pieces)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_corruption_is_detected_by_the_receiver(kind: dict[str, Any]) -> None:
    """A checksum left to the device is completed before the damage; the damaged packet says that it was not checked."""
    frame, vnet = wire.make(PAYLOAD[:20_000], **kind)
    pieces = wire.segmented(frame, vnet)
    frames, _ = through(LineParams(seed=2, corrupt_p=ONE), frame, vnet)
    assert len(frames) == len(pieces)
    for out, piece in zip(frames, pieces, strict=True):
        assert out.vnet[:2] == (0, 0)
        assert sum((a ^ b).bit_count() for a, b in zip(out.data, piece, strict=True)) == 1


def test_checked_by_the_device_is_not_said_of_damaged_packets() -> None:
    frame, _ = wire.make(b"x" * 100)
    whole = wire.completed(frame)
    frames, _ = through(LineParams(seed=2, corrupt_p=ONE), whole, VNET.pack(2, 0, 0, 0, 0, 0))
    assert frames[0].vnet == (0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("version", [4, 6])
def test_marks_are_congestion_experienced(version: int) -> None:
    frame, vnet = wire.make(PAYLOAD[:5000], version=version, ecn=2)
    frames, _ = through(LineParams(loss_model=LossModel.RANDOM, loss_p=ONE, loss_ecn=True), frame, vnet)
    marked, _ = wire.make(PAYLOAD[:5000], version=version, ecn=3)
    assert expanded(frames) == wire.segmented(marked, vnet)


def test_limit_cuts_a_super_packet() -> None:
    frame, vnet = wire.make(PAYLOAD)
    pieces = wire.segmented(frame, vnet)
    (out,), _ = through(LineParams(delay_ns=MS, limit_packets=10), frame, vnet)
    assert expanded([out]) == pieces[:10]
    (out,), _ = through(LineParams(delay_ns=MS, limit_bytes=10_000), frame, vnet)
    assert expanded([out]) == pieces[:6]


def test_mtu_drops_segments_that_are_too_large() -> None:
    frame, vnet = wire.make(PAYLOAD[:5000])
    frames, _ = through(LineParams(mtu=1400), frame, vnet)
    assert expanded(frames) == wire.segmented(frame, vnet)[-1:]


def test_seq_and_id_wrap() -> None:
    frame, vnet = wire.make(PAYLOAD, ident=0xFFFE, seq=0xFFFFFF00)
    frames, _ = through(LineParams(seed=1, loss_model=LossModel.RANDOM, loss_p=ONE // 3), frame, vnet)
    assert set(expanded(frames)) <= set(wire.segmented(frame, vnet))


@given(
    size=st.integers(1, 65_000),
    gso=st.integers(1, 9000),
    seed=st.integers(0, 2**32),
    loss=st.integers(0, 90),
    kind=st.sampled_from(KINDS),
)
def test_any_super_packet(size: int, gso: int, seed: int, loss: int, kind: dict[str, Any]) -> None:
    gso = max(gso, size // 200 + 1)
    frame, vnet = wire.make(PAYLOAD[:1] * size, **{**kind, "gso": gso})
    params = LineParams(seed=seed, loss_model=LossModel.RANDOM, loss_p=ONE * loss // 100)
    frames, _ = through(params, frame, vnet)
    pieces = wire.segmented(frame, vnet)
    found = expanded(frames)
    lost = len(pieces) - len(found)
    assert lost >= 0
    assert set(found) <= set(pieces)
    if not loss:
        assert found == pieces


LIES = [
    (1, 1, 0, 0, 34, 16),  # no gso_size
    (0, 1, 66, 1448, 34, 16),  # no checksum to complete
    (1, 4, 66, 1448, 34, 16),  # the other family
    (1, 3, 66, 1448, 34, 16),  # UFO
    (1, 5, 66, 1448, 34, 16),  # UDP, and the offset is TCP's
    (1, 1, 66, 1448, 33, 16),
    (1, 1, 66, 1448, 0, 16),
    (1, 1, 66, 1448, 65535, 16),
    (1, 1, 66, 1448, 34, 65535),
    (1, 200, 66, 1448, 34, 16),
    (255, 255, 65535, 65535, 65535, 65535),
]


@pytest.mark.parametrize("lie", LIES, ids=str)
@pytest.mark.parametrize(
    "params", [LineParams(), LineParams(seed=1, corrupt_p=ONE), LineParams(seed=1, duplicate_p=ONE, rate_bps=10**9)]
)
def test_lies_in_the_header_do_no_harm(lie: tuple[int, ...], params: LineParams) -> None:
    frame, _ = wire.make(PAYLOAD)
    frames, _ = through(params, frame, VNET.pack(*lie))
    assert len(frames) == (2 if params.duplicate_p else 1)
    assert all(len(out.data) == len(frame) for out in frames)


@given(data=st.binary(min_size=14, max_size=200), vnet=st.binary(min_size=10, max_size=10), corrupt=st.booleans())
def test_any_bytes(data: bytes, vnet: bytes, corrupt: bool) -> None:
    params = replace(LineParams(seed=1, duplicate_p=ONE // 2, loss_ecn=True), corrupt_p=ONE if corrupt else 0)
    frames, _ = through(params, data, vnet)
    assert frames


@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 64, 1499, 65535])
def test_checksum(length: int) -> None:
    data = os.urandom(length)
    assert library().nwt_csum(data, length) == wire.fold(data)
