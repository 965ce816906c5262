from __future__ import annotations

import random

import pytest
from hypothesis import given

from netweather.conditions import LOSS_MODELS, LossBurst, LossGemodel
from netweather.conditions.estimates.effects import mean_loss
from netweather.units import MeanLength, Percent
from tests.unit.conditions import strategies


def test_models_by_name() -> None:
    assert list(LOSS_MODELS) == ["random", "gemodel", "state", "burst", "every", "list"]


def test_a_burst_as_transitions() -> None:
    burst = LossBurst(MeanLength.parse("5"), Percent.parse("2%"))
    assert burst.as_gemodel() == LossGemodel(p=Percent(4_081_633), r=Percent.parse("20%"))


def test_bursts_that_never_come() -> None:
    assert LossBurst(MeanLength.parse("5"), Percent(0)).as_gemodel().p == Percent(0)


@given(strategies.bursts())
def test_a_burst_loses_its_share(burst: LossBurst) -> None:
    model = burst.as_gemodel()
    if model.r.ppb > 10**5 and model.p.ppb > 10**5:  # below, a step of 10^-9 is more than a hundredth of it
        assert mean_loss(model) == pytest.approx(burst.share.fraction, rel=2e-4, abs=2e-4)


def test_a_burst_drawn_packet_by_packet() -> None:
    model, dice = LossBurst(MeanLength.parse("4"), Percent.parse("10%")).as_gemodel(), random.Random(7)
    bad, lost, bursts, packets = False, 0, 0, 200_000
    for _ in range(packets):
        before, bad = bad, dice.random() < (1 - model.r.fraction if bad else model.p.fraction)
        lost, bursts = lost + bad, bursts + (bad and not before)
    assert lost / packets == pytest.approx(0.10, abs=0.01)
    assert lost / bursts == pytest.approx(4, abs=0.2)
