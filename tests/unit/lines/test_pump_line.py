"""Conditions as the pump's parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from netweather.conditions.distributions import table_of
from netweather.conditions.loss import LossBurst, LossEvery, LossGemodel, LossList, LossRandom, LossState
from netweather.conditions.model import Condition, Corrupt, Delay, Duplicate, RateLimit, Reorder, Slot
from netweather.errors import UsageError
from netweather.lines.params import ONE, LineParams, LossModel, QueuePolicy
from netweather.lines.pump_line import line_parameters, params_for, unsupported
from netweather.units import Duration, MeanLength, Packets, Percent, Rate, Size

MS = 10**6


def percent(text: str) -> Percent:
    return Percent.parse(text)


def duration(text: str) -> Duration:
    return Duration.parse(text)


def rate(text: str) -> RateLimit:
    return RateLimit(Rate.parse(text))


def test_no_condition_passes_everything() -> None:
    assert params_for(Condition()) == LineParams()


def test_delay() -> None:
    params = params_for(Condition(delay=Delay(duration("100ms"), duration("20ms"), percent("25%"), "normal", keep_order=True)))
    assert (params.delay_ns, params.jitter_ns, params.keep_order) == (100 * MS, 20 * MS, True)
    assert params.delay_rho == round(0.25 * (2**32 - 1))
    assert params.delay_table == table_of("normal")


def test_uniform_jitter_needs_no_table_and_no_jitter_neither() -> None:
    assert params_for(Condition(delay=Delay(duration("100ms"), duration("20ms")))).delay_table == ()
    assert params_for(Condition(delay=Delay(duration("100ms"), distribution="normal"))).delay_table == ()


@pytest.mark.parametrize("entries", [2, 1000, 4096, 16384])
def test_a_table_from_a_file_is_stretched(tmp_path: Path, entries: int) -> None:
    file = tmp_path / "own.dist"
    file.write_text(" ".join(str(n - entries // 2) for n in range(entries)))
    table = params_for(Condition(delay=Delay(duration("9ms"), duration("2ms"), distribution=str(file)))).delay_table
    assert len(table) == 4096
    assert list(table) == sorted(table)
    assert abs(sum(table) / 4096 + 0.5) < 1


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (
            LossRandom(percent("3%"), percent("10%")),
            {"loss_model": LossModel.RANDOM, "loss_p": round(0.03 * ONE), "loss_rho": 429496730},
        ),
        (LossRandom(percent("100%")), {"loss_model": LossModel.RANDOM, "loss_p": ONE}),
        (
            LossGemodel(percent("1%"), percent("10%"), percent("80%"), percent("0.1%")),
            {"loss_model": LossModel.GILBERT_ELLIOTT, "loss_a": tuple(round(x * ONE) for x in (0.01, 0.1, 0.8, 0.001, 0))},
        ),
        (
            LossState(percent("1%"), percent("10%"), percent("5%"), percent("50%"), percent("2%")),
            {"loss_model": LossModel.STATE, "loss_a": tuple(round(x * ONE) for x in (0.01, 0.1, 0.05, 0.5, 0.02))},
        ),
        (LossEvery(10), {"loss_model": LossModel.NTH, "nth_period": 10, "nth_offset": 10}),
        (LossList((9, 3, 3)), {"loss_model": LossModel.LIST, "losses": (3, 9)}),
    ],
)
def test_loss(loss: object, expected: dict[str, object]) -> None:
    params = params_for(Condition(loss=loss))  # type: ignore[arg-type]
    assert {name: getattr(params, name) for name in expected} == expected


def test_burst_is_a_gemodel() -> None:
    burst = LossBurst(MeanLength.parse("5"), percent("2%"))
    assert params_for(Condition(loss=burst)) == params_for(Condition(loss=burst.as_gemodel()))


def test_faults() -> None:
    condition = Condition(
        delay=Delay(duration("10ms")),
        duplicate=Duplicate(percent("1%")),
        corrupt=Corrupt(percent("2%")),
        reorder=Reorder(percent("50%"), gap=5),
        mtu=1300,
        ecn=True,
        queue="ecn",
        seed=7,
    )
    params = params_for(condition)
    assert (params.duplicate_p, params.corrupt_p) == (round(0.01 * ONE), round(0.02 * ONE))
    assert (params.reorder_p, params.gap) == (ONE // 2, 5)
    assert (params.mtu, params.loss_ecn, params.policy, params.seed) == (1300, True, QueuePolicy.CODEL_ECN, 7)


def test_both_directions_of_a_seed_differ_and_repeat() -> None:
    condition = Condition(seed=2**64 - 1)
    egress, ingress = params_for(condition, "egress").seed, params_for(condition, "ingress").seed
    assert egress == 2**64 - 1
    assert ingress not in (None, egress)
    assert ingress == params_for(condition, "ingress").seed
    assert params_for(Condition(), "ingress").seed is None


def test_slot() -> None:
    params = params_for(Condition(slot=Slot(duration("10ms"), None, Packets(32), Size.parse("64kb"))))
    assert (params.slot_min_ns, params.slot_max_ns, params.slot_packets, params.slot_bytes) == (10 * MS, 10 * MS, 32, 64_000)


def test_jitter_in_front_of_a_rate_keeps_the_order() -> None:
    jitter = Delay(duration("100ms"), duration("20ms"))
    assert not params_for(Condition(delay=jitter)).keep_order
    assert params_for(Condition(delay=jitter, rate=rate("10mbit"))).keep_order


@pytest.mark.parametrize(
    ("condition", "limit_bytes"),
    [
        (Condition(delay=Delay(duration("200ms"))), 0),
        (Condition(rate=rate("100mbit"), delay=Delay(duration("200ms"))), 15_000_000),
        (Condition(rate=rate("100mbit"), delay=Delay(duration("200ms"), duration("50ms"))), 17_500_000),
        (Condition(rate=rate("64kbit")), 10 * 1514),
        (Condition(rate=rate("100gbit")), 256 << 20),
        (Condition(rate=rate("0")), 0),
    ],
)
def test_queue_is_large_enough(condition: Condition, limit_bytes: int) -> None:
    params = params_for(condition)
    assert (params.limit_packets, params.limit_bytes) == (0, limit_bytes)


@pytest.mark.parametrize(("limit", "expected"), [(Packets(50), (50, 0)), (Size(10_000), (0, 10_000)), (Packets(0), (0, 1))])
def test_queue_as_asked(limit: Packets | Size, expected: tuple[int, int]) -> None:
    params = params_for(Condition(rate=rate("1gbit"), limit=limit))
    assert (params.limit_packets, params.limit_bytes) == expected


def test_trace(tmp_path: Path) -> None:
    file = tmp_path / "up.trace"
    file.write_text("1\n2\n3\n4\n")
    params = params_for(Condition(trace=str(file)))
    assert params.trace
    assert params.limit_bytes == 1_500_000
    block, tables = line_parameters(Condition(trace=str(file)), "egress")
    assert LineParams.unpack(block, dict(tables)) == params


def test_a_table_trace_keeps_the_order(tmp_path: Path) -> None:
    file = tmp_path / "path.csv"
    file.write_text("time,delay\n0s,100ms\n1s,10ms\n")
    assert params_for(Condition(trace=str(file))).keep_order


def test_a_trace_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        params_for(Condition(trace=str(tmp_path / "none")))
    assert caught.value.code == "unreadable-file"


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        (Condition(block="drop"), "block"),
        (Condition(profile="3g"), "3g"),
        (Condition(loss=LossList(tuple(range(1, 1026)))), "1024"),
    ],
)
def test_unsupported(condition: Condition, word: str) -> None:
    (reason,) = unsupported(condition)
    assert word in reason


def test_supported() -> None:
    condition = Condition(delay=Delay(duration("1ms")), loss=LossEvery(3), queue="codel", trace="x", mtu=1000, ecn=True)
    assert unsupported(condition) == []
