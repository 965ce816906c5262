from __future__ import annotations

import pytest

from netweather.conditions import Condition, Delay, LossEvery, LossList, NetworkCondition, Rule
from netweather.conditions.model import Engine
from netweather.engine import choosing
from netweather.errors import NetweatherError
from netweather.kernel import features
from netweather.kernel.netem import unpack
from netweather.units import Duration

PLAIN = Condition(delay=Delay(Duration(5 * 10**6)))
NUMBERED = Condition(loss=LossEvery(3))


@pytest.fixture(params=[True, False], ids=["netem", "no netem"])
def has_netem(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    found(monkeypatch, "yes" if request.param else "no")
    return bool(request.param)


def found(monkeypatch: pytest.MonkeyPatch, netem: features.State, seed: features.State = "no") -> None:
    """A kernel whose netem, and whose netem's seed, is found so."""
    feature = next(feature for feature in features.FEATURES if feature.name == "netem")
    states = {"netem": netem, "netem-seed": seed}
    monkeypatch.setattr(features, "answer", lambda name: features.Finding(feature, states[name], "it is Tuesday"))


def of(condition: Condition, engine: Engine = "auto") -> NetworkCondition:
    return NetworkCondition(rules=(Rule(condition=condition),), engine=engine)


def test_auto_takes_netem_where_it_is_and_can_do_it(has_netem: bool) -> None:
    assert choosing.choose(PLAIN, "auto").engine == ("netem" if has_netem else "pump")
    assert choosing.choose(NUMBERED, "auto").engine == "pump"
    assert choosing.choose(PLAIN, "pump").engine == "pump"


def test_the_reason_is_told(has_netem: bool) -> None:
    if has_netem:
        assert choosing.told(of(PLAIN)) == ("engine netem",)
        assert choosing.told(of(NUMBERED)) == ("engine pump: netem can't lose packets by their number",)
    else:
        assert choosing.told(of(PLAIN)) == ("engine pump: netem is not there, it is Tuesday",)
    assert choosing.told(of(PLAIN, "pump")) == ("engine pump",)
    assert choosing.told(of(Condition(block="drop"))) == ()


def test_a_probe_that_could_not_tell_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, "unknown")
    assert choosing.told(of(PLAIN)) == ("engine pump: nobody can tell whether netem is there, it is Tuesday",)


def test_netem_when_asked_or_nothing(has_netem: bool) -> None:
    with pytest.raises(NetweatherError, match="engine-cannot"):
        choosing.refuse(of(NUMBERED, "netem"))
    if has_netem:
        choosing.refuse(of(PLAIN, "netem"))
    else:
        with pytest.raises(NetweatherError, match="engine-cannot"):
            choosing.refuse(of(PLAIN, "netem"))


def test_what_neither_engine_can_do_is_refused(has_netem: bool) -> None:
    with pytest.raises(NetweatherError, match="loss list"):
        choosing.refuse(of(Condition(loss=LossList(tuple(range(1, 10_000))))))
    choosing.refuse(of(Condition(block="drop"), "netem"))


def test_a_seed_needs_a_kernel_that_takes_one(has_netem: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded = Condition(delay=PLAIN.delay, seed=1)
    assert choosing.choose(seeded, "auto").engine == "pump"
    found(monkeypatch, "yes" if has_netem else "no", "yes")
    assert choosing.choose(seeded, "auto").engine == ("netem" if has_netem else "pump")


def test_the_look_of_a_line(has_netem: bool) -> None:
    look = choosing.look(PLAIN, "egress", "auto")
    assert look.engine == ("netem" if has_netem else "pump")
    if has_netem:
        assert look.whole
        assert unpack(look.parameters).latency_ns == 5 * 10**6
    assert choosing.look(PLAIN, "egress", "pump").engine == "pump"
