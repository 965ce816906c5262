from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.conditions import Condition, LossState, load_condition
from netweather.conditions.estimates.effects import (
    MSS,
    WINDOW,
    bulk_throughput,
    correlated_share,
    effects_of,
    loss_events,
    mean_loss,
    packets_needed,
    quantiles,
    queue_packets,
    reordering,
    wire_time,
)
from netweather.units import Percent
from tests.unit.conditions import strategies


def of(**short: Any) -> Condition:
    return load_condition(short)


def test_no_condition_does_nothing() -> None:
    effects = effects_of(Condition())
    assert (effects.mean_delay, effects.loss, effects.reordered, effects.rate) == (0, 0, 0, None)
    assert bulk_throughput(effects, 0) == math.inf


def test_a_plain_delay() -> None:
    effects = effects_of(of(delay="100ms"))
    assert effects.mean_delay == pytest.approx(0.1)
    assert effects.late_delay == effects.median_delay == pytest.approx(0.1)
    assert effects.reordered == 0


def test_jitter_spreads_reorders_and_is_cut_at_zero() -> None:
    effects = effects_of(of(delay={"time": "100ms", "jitter": "10ms", "distribution": "normal"}))
    assert effects.mean_delay == pytest.approx(0.1, rel=0.01)
    assert effects.late_delay == pytest.approx(0.1 + 0.0233, rel=0.02)
    assert effects.reordered == pytest.approx(0.5, abs=0.01)
    assert effects.clamped == 0
    cut = effects_of(of(delay={"time": "10ms", "jitter": "20ms"}))
    assert cut.clamped == pytest.approx(0.25, abs=0.01)
    assert cut.mean_delay == pytest.approx((0.75 * 0.015), rel=0.01)


def test_what_keeps_the_order() -> None:
    jitter = {"time": "100ms", "jitter": "10ms"}
    assert reordering(of(delay=jitter), 0) > 0.4
    assert reordering(of(delay=jitter), 0.02) == 0, "further apart than the jitter is wide"
    assert reordering(of(delay={**jitter, "keepOrder": True}), 0) == 0
    assert reordering(of(delay=jitter, rate="1mbit"), 0) == 0
    assert reordering(of(delay=jitter, rate=0), 0) > 0.4
    assert reordering(of(delay=jitter, slot="1ms"), 0) == 0


def test_asked_reordering() -> None:
    assert reordering(of(delay="10ms", reorder="25%"), 0) == pytest.approx(0.25)
    assert reordering(of(delay="10ms", reorder={"gap": 5}), 0) == pytest.approx(0.2)
    assert reordering(of(delay="10ms", reorder="25%"), 0.02) == 0


@pytest.mark.parametrize(
    ("loss", "share", "events"),
    [
        ("2%", 0.02, 0.02),
        ("gemodel:p=1%,r=9%", 0.1, 0.009),
        ("gemodel:p=0%,r=0%,1-k=1%", 0.01, 0.01),
        ("gemodel:p=10%,r=10%,1-h=40%,1-k=20%", 0.3, 0.3),
        ("burst:mean=5,share=2%", 0.02, 0.004),
        ("every:10", 0.1, 0.1),
        ("list:1,2", 0.0, 0.0),
        ("state:p13=0%,p31=50%,p14=1%", 0.01 / 1.01, 0.0),
    ],
)
def test_mean_losses(loss: str, share: float, events: float) -> None:
    model = of(loss=loss).loss
    assert mean_loss(model) == pytest.approx(share)
    if not loss.startswith("state"):
        assert loss_events(model) == pytest.approx(events)


@given(strategies.losses)
def test_shares_are_shares(loss: Any) -> None:
    assert 0 <= loss_events(loss) <= mean_loss(loss) * (1 + 1e-9)
    assert mean_loss(loss) <= 1 + 1e-9


@pytest.mark.parametrize("spelt", [(2, 30, 10, 40, 1), (5, 50, 0, 100, 0), (1, 20, 20, 10, 5), (10, 10, 90, 50, 10)])
def test_the_four_state_model_walked(spelt: tuple[int, ...]) -> None:
    loss = LossState(*(Percent(share * 10**7) for share in spelt))
    p13, p31, p32, p23, p14 = (share / 100 for share in spelt)
    dice, state, lost, packets = random.Random(7), 1, 0, 300_000
    for _ in range(packets):
        draw = dice.random()
        if state == 1:
            state = 3 if draw < p13 else 4 if draw < p13 + p14 else 1
        elif state == 3:
            state = 1 if draw < p31 else 2 if draw < p31 + p32 else 3
        else:
            state = (3 if draw < p23 else 2) if state == 2 else 1
        lost += state in (3, 4)
    assert mean_loss(loss) == pytest.approx(lost / packets, abs=0.01)


def test_states_that_are_never_left() -> None:
    assert mean_loss(of(loss="state:p13=1%,p31=0%").loss) == 1
    assert mean_loss(of(loss="state:p13=1%,p31=0%,p32=10%,p23=30%").loss) == pytest.approx(0.75)
    assert mean_loss(of(loss="state:p13=1%,p31=10%,p32=10%,p23=0%").loss) == 0


@pytest.mark.parametrize(("percent", "correlation"), [(3, 25), (10, 25), (10, 50), (30, 75), (50, 25), (90, 50), (40, 95)])
def test_netems_correlation_changes_the_share(percent: int, correlation: int) -> None:
    """netem's own arithmetic, drawn: value x (2^32 - weight) + last x weight, shifted by 32."""
    dice, weight, last, below, draws = random.Random(7), correlation * 2**32 // 100, 2**31, 0, 200_000
    for _ in range(draws):
        last = (dice.getrandbits(32) * (2**32 - weight) + last * weight) >> 32
        below += last < percent * 2**32 // 100
    assert correlated_share(percent / 100, correlation / 100) == pytest.approx(below / draws, rel=0.1, abs=0.0005)


def test_no_correlation_changes_nothing() -> None:
    for share in (0.0, 0.001, 0.5, 1.0):
        assert correlated_share(share, 0.0) == correlated_share(share, 1.0) == share
    assert correlated_share(0.0, 0.5) == 0
    assert correlated_share(1.0, 0.5) == 1


def test_throughput_by_window_rate_and_mathis() -> None:
    assert bulk_throughput(effects_of(of(delay="1ms")), 0.1) == pytest.approx(WINDOW * 80)
    assert bulk_throughput(effects_of(of(rate="10mbit")), 0.1) == pytest.approx(10e6 * 1448 / 1514)
    assert bulk_throughput(effects_of(of(loss="1%")), 0.1) == pytest.approx(MSS * 8 / 0.1 * 12.2)
    assert bulk_throughput(effects_of(of(loss="1%", rate="1mbit")), 0.1) < 1e6
    assert bulk_throughput(effects_of(of(block="drop")), 0.1) == 0
    assert bulk_throughput(effects_of(of(loss="100%")), 0.1) == 0


def test_marks_slow_down_and_lose_nothing() -> None:
    effects = effects_of(of(loss="1%", ecn=True))
    assert effects.loss == 0
    assert bulk_throughput(effects, 0.1) == pytest.approx(MSS * 8 / 0.1 * 12.2)


def test_corruption_counts_as_loss() -> None:
    assert effects_of(of(corrupt="1%", loss="1%")).loss == pytest.approx(0.0199)


def test_queues() -> None:
    assert queue_packets(of()) is None
    assert queue_packets(of(limit=50)) == 50
    assert queue_packets(of(limit="15.14kb")) == 10
    assert packets_needed(of(delay="100ms"), 12.112e6) == pytest.approx(101, abs=1)


def test_a_frame_takes_its_time_at_the_rate_with_what_the_rate_reckons_besides() -> None:
    assert wire_time(effects_of(of(rate="1mbit")), 1514) == pytest.approx(0.012112)
    assert wire_time(effects_of(of(rate="9600bit")), 74) == pytest.approx(74 / 1200)
    assert wire_time(effects_of(of(rate={"bitrate": "9600bit", "overhead": 26})), 74) == pytest.approx(100 / 1200)
    assert wire_time(effects_of(of(rate={"bitrate": "9600bit", "overhead": -100})), 74) == 0, "none takes less than nothing"
    assert wire_time(effects_of(of(rate=0)), 74) == wire_time(effects_of(of(delay="1s")), 74) == 0


def test_a_rates_overhead_costs_throughput() -> None:
    assert bulk_throughput(effects_of(of(rate={"bitrate": "10mbit", "overhead": 24})), 0.1) == pytest.approx(10e6 * 1448 / 1538)


def test_a_table_file_that_is_elsewhere_counts_as_normal() -> None:
    far = of(delay={"time": "100ms", "jitter": "10ms", "distribution": "/nowhere/mine.dist"}).delay
    near = of(delay={"time": "100ms", "jitter": "10ms", "distribution": "normal"}).delay
    assert quantiles(far) == quantiles(near)


@given(strategies.conditions, st.floats(0, 1e4))
def test_any_condition_has_effects(condition: Condition, rtt: float) -> None:
    effects = effects_of(condition)
    assert effects.mean_delay >= 0
    assert 0 <= effects.reordered <= 1
    assert bulk_throughput(effects, rtt) >= 0
