"""What is in force when."""

from __future__ import annotations

import pytest

from netweather.conditions import Condition, Delay, LossRandom, RateLimit
from netweather.conditions.scenario import load_scenario_text
from netweather.conditions.scenario_timeline import ScenarioTimeline, between, timeline
from netweather.errors import UsageError
from netweather.units import Duration, Percent, Rate

MS = 10**6


def played(steps: str, **spec: str) -> ScenarioTimeline:
    more = "".join(f"{key}: {value}\n" for key, value in spec.items())
    return timeline(
        load_scenario_text(f"name: s\ntargets: [netns:a]\n{more}steps:\n{steps}"), lambda word: word.startswith("netns:")
    )


def names(found: ScenarioTimeline) -> list[tuple[float, list[str]]]:
    return [(moment.at / 1e9, [each.name for each in moment.conditions]) for moment in found.moments]


def test_steps_come_and_go_and_later_ones_come_first() -> None:
    found = played(
        "- {at: 0s, condition: {delay: 1ms}}\n- {at: 30s, for: 10s, condition: {loss: 5%}}\n- {at: 60s, for: 1s, condition: {loss: 1%}}"
    )
    assert names(found) == [
        (0, ["s.step-1"]), (30, ["s.step-1", "s.step-2"]), (40, ["s.step-1"]), (60, ["s.step-1", "s.step-3"]),
    ]  # fmt: skip
    assert found.length == 61 * 10**9
    slow, lossy = found.moments[1].conditions
    assert lossy.rules[0].priority < slow.rules[0].priority
    assert slow.lease == Duration(30 * 10**9)


def test_a_step_of_the_same_name_takes_the_place_of_the_other() -> None:
    found = played("- {at: 0s, name: x, condition: {delay: 1ms}}\n- {at: 2s, name: x, for: 1s, condition: {delay: 5ms}}")
    assert names(found) == [(0, ["s.x"]), (2, ["s.x"])]
    first, second = (moment.conditions[0].rules[0].condition.delay for moment in found.moments)
    assert (first, second) == (Delay(Duration(MS)), Delay(Duration(5 * MS)))


def test_before_the_first_step_nothing_is_in_force() -> None:
    assert names(played("- {at: 1s, for: 1s, condition: {delay: 1ms}}", length="5s")) == [(0, []), (1, ["s.step-1"]), (2, [])]


def test_flapping() -> None:
    found = played("- {at: 0s, for: 2500ms, condition: {block: drop}, flap: {on: 600ms, off: 400ms}}")
    assert [(at, len(there)) for at, there in names(found)] == [(0, 1), (0.6, 0), (1, 1), (1.6, 0), (2, 1)]
    assert found.length == 2500 * MS


def test_a_ramp_begins_and_ends_with_what_is_written() -> None:
    found = played("- {at: 0s, for: 5s, condition: {delay: 0ms, loss: 0%}, ramp: {to: {delay: 100ms, loss: 10%}}}")
    delays = [moment.conditions[0].rules[0].condition.delay for moment in found.moments]
    assert [each.time.ns // MS for each in delays if each] == [0, 25, 50, 75, 100]
    losses = [moment.conditions[0].rules[0].condition.loss for moment in found.moments]
    assert [each.percent for each in losses if isinstance(each, LossRandom)][-1] == Percent.parse("10%")


def test_a_partition_is_the_planners() -> None:
    found = played("- {at: 0s, for: 1s, partition: [[netns:a, netns:m], [netns:m, 192.0.2.9]], oneWay: true}")
    (condition,) = found.moments[0].conditions
    assert (condition.targets, condition.rules[0].match.to) == (("netns:a",), ("192.0.2.9",))
    assert (condition.rules[0].match.direction, condition.rules[0].condition.block) == ("egress", "drop")


def test_halfway() -> None:
    assert between(Rate.parse("10mbit"), Rate.parse("20mbit"), 1, 2) == Rate.parse("15mbit")
    one, other = Condition(rate=RateLimit(Rate.parse("1mbit")), profile="3g"), Condition(delay=Delay(Duration(MS)))
    assert between(one, other, 1, 2) == one
    assert between(one, other, 2, 2) == other


DELAY = "condition: {delay: 1ms}"
SENSELESS = [
    ("- {at: 0s, for: 1s}", {}, "missing-key"),
    (f"- {{at: 5s, {DELAY}}}", {}, "missing-key"),
    (f"- {{at: 0s, for: 9s, {DELAY}}}", {"length": "5s"}, "out-of-range"),
    (f"- {{at: 0s, for: 9s, {DELAY}}}", {"lease": "100ms"}, "bad-lease"),
    ("- {at: 0s, for: 9s, condition: {delay: 1ms, block: drop}}", {}, "conflicting-fields"),
    (f"- {{at: 0s, for: 9s, name: Big, {DELAY}}}", {}, "bad-name"),
    (f"- {{at: 0s, for: 9s, name: x, {DELAY}}}\n- {{at: 5s, for: 1s, name: x, {DELAY}}}", {}, "conflicting-fields"),
    (f"- {{at: 0s, for: 9s, {DELAY}, flap: {{on: 1ms, off: 1s}}}}", {}, "out-of-range"),
    (f"- {{at: 0s, for: 9s, {DELAY}, ramp: {{to: {{delay: 1s}}, every: 1ms}}}}", {}, "out-of-range"),
    (f"- {{at: 0s, for: 9s, {DELAY}, flap: {{on: 1s, off: 1s}}, ramp: {{to: {{delay: 1s}}}}}}", {}, "conflicting-fields"),
    ("- {at: 0s, for: 9s, partition: [[netns:a], [netns:b]], ramp: {to: {delay: 1s}}}", {}, "missing-key"),
    ("- {at: 0s, for: 9s, partition: [[netns:a]]}", {}, "bad-partition"),
    (f"- {{at: 0s, for: 1d, {DELAY}, flap: {{on: 1s, off: 1s}}}}", {}, "out-of-range"),
]


@pytest.mark.parametrize(("steps", "spec", "code"), SENSELESS)
def test_what_makes_no_sense(steps: str, spec: dict[str, str], code: str) -> None:
    with pytest.raises(UsageError) as wrong:
        played(steps, **spec)
    assert wrong.value.code == code, wrong.value


def test_somebody_must_be_meant() -> None:
    with pytest.raises(UsageError, match="missing-target"):
        timeline(load_scenario_text("steps: [{at: 0s, for: 1s, condition: {delay: 1ms}}]"), lambda word: True)
