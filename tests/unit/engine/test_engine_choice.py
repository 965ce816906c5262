from __future__ import annotations

import pytest

from netweather.conditions import Condition, Delay, LossEvery, LossList, Rule
from netweather.conditions.model import EngineName
from netweather.engine import engine_choice
from netweather.errors import NetweatherError
from netweather.kernel.features import features
from netweather.kernel.netlink.netem_attributes import unpack
from netweather.lines.params import LineParams
from netweather.planning.rules import PlainRule
from netweather.units import Duration

PLAIN = Condition(delay=Delay(Duration(5 * 10**6)))
NUMBERED = Condition(loss=LossEvery(3))


@pytest.fixture(params=[True, False], ids=["netem", "no netem"])
def has_netem(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    found(monkeypatch, "yes" if request.param else "no")
    return bool(request.param)


def found(monkeypatch: pytest.MonkeyPatch, netem: features.FeatureState, seed: features.FeatureState = "no") -> None:
    """A kernel whose netem, and whose netem's seed, is found so."""
    feature = next(feature for feature in features.FEATURES if feature.name == "netem")
    states = {"netem": netem, "netem-seed": seed}
    monkeypatch.setattr(features, "answer", lambda name: features.Finding(feature, states[name], "it is Tuesday"))


def chosen(condition: Condition, asked: EngineName = "auto") -> tuple[PlainRule, ...]:
    return engine_choice.chosen([(0, Rule(condition=condition))], asked)


def test_auto_takes_netem_where_it_is_and_can_do_it(has_netem: bool) -> None:
    assert engine_choice.choose(PLAIN, "auto").engine == ("netem" if has_netem else "pump")
    assert engine_choice.choose(NUMBERED, "auto").engine == "pump"
    assert engine_choice.choose(PLAIN, "pump").engine == "pump"


def test_the_reason_is_told(has_netem: bool) -> None:
    if has_netem:
        assert engine_choice.told(chosen(PLAIN)) == ("engine netem",)
        assert engine_choice.told(chosen(NUMBERED)) == ("engine pump: netem can't lose packets by their number",)
    else:
        assert engine_choice.told(chosen(PLAIN)) == ("engine pump: netem is not there, it is Tuesday",)
    assert engine_choice.told(chosen(PLAIN, "pump")) == ("engine pump",)
    assert engine_choice.told(chosen(Condition(block="drop"))) == ()


def test_a_probe_that_could_not_tell_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, "unknown")
    assert engine_choice.told(chosen(PLAIN)) == ("engine pump: it is unknown whether this kernel has netem, it is Tuesday",)


def test_netem_when_asked_or_nothing(has_netem: bool) -> None:
    with pytest.raises(NetweatherError, match="engine-cannot"):
        chosen(NUMBERED, "netem")
    if has_netem:
        chosen(PLAIN, "netem")
    else:
        with pytest.raises(NetweatherError, match="engine-cannot"):
            chosen(PLAIN, "netem")


def test_what_neither_engine_can_do_is_refused(has_netem: bool) -> None:
    with pytest.raises(NetweatherError, match="loss list"):
        chosen(Condition(loss=LossList(tuple(range(1, 10_000)))))
    chosen(Condition(block="drop"), "netem")


def test_a_seed_needs_a_kernel_that_takes_one(has_netem: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded = Condition(delay=PLAIN.delay, seed=1)
    assert engine_choice.choose(seeded, "auto").engine == "pump"
    found(monkeypatch, "yes" if has_netem else "no", "yes")
    assert engine_choice.choose(seeded, "auto").engine == ("netem" if has_netem else "pump")


def test_the_look_of_a_line() -> None:
    look = engine_choice.look(PLAIN, "egress", "netem")
    assert look.whole
    assert unpack(look.parameters).latency_ns == 5 * 10**6
    assert LineParams.unpack(engine_choice.look(PLAIN, "egress", "pump").parameters).delay_ns == 5 * 10**6
