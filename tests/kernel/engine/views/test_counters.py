"""Each packet that does not arrive is counted, with its cause; and so is what else was done to packets. Figures are the wire's."""

from __future__ import annotations

from pathlib import Path

import pytest

from netweather.conditions import Condition, Corrupt, Duplicate, LossRandom, RateLimit, Reorder
from netweather.results import RuleCounters
from netweather.units import Packets, Percent, Rate
from tests.support.rig import Rig, delay, rule, until
from tests.support.traffic import datagrams

COUNT = 200
SIZE = 1000
HALF, ALL = Percent(500_000_000), Percent(1_000_000_000)
NONE = {"blocked": 0, "loss": 0, "trace": 0, "mtu": 0, "queue": 0}
UNTOUCHED = {"marked": 0, "duplicated": 0, "corrupted": 0, "reordered": 0}


def sent(rig: Rig, condition: Condition, direction: str = "egress") -> tuple[int, RuleCounters]:
    """How many of the packets arrive, and what the rule counted."""
    ends = (rig.net.client, rig.net.server)
    rig.clear()
    rig.set(rule(condition, direction=direction, protocol="udp"), engine="pump")
    arrived = datagrams(*(ends if direction == "egress" else ends[::-1]), [bytes([n]) * SIZE for n in range(COUNT)])
    return len(arrived), rig.shown().rules[0]


LOSSES = {
    "loss": Condition(loss=LossRandom(HALF)),
    "mtu": Condition(mtu=500),
    "queue": Condition(rate=RateLimit(Rate(1_000_000)), limit=Packets(20)),
    "blocked": Condition(block="drop"),
}


@pytest.mark.parametrize("direction", ["egress", "ingress"])
@pytest.mark.parametrize("cause", LOSSES)
def test_what_does_not_arrive_is_dropped_for_its_cause(shared_rig: Rig, cause: str, direction: str) -> None:
    arrived, found = sent(shared_rig, LOSSES[cause], direction)
    assert arrived < COUNT
    assert (found.packets, found.dropped) == (COUNT, COUNT - arrived)
    assert found.causes == {**NONE, cause: COUNT - arrived}
    assert found.effects == UNTOUCHED
    assert shared_rig.shown().unwanted_drops == 0


def test_what_a_trace_loses(shared_rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("time,loss\n0s,50%\n60s,50%\n")
    arrived, found = sent(shared_rig, Condition(trace=str(tmp_path / "trace.csv")))
    assert 0 < arrived < COUNT
    assert found.causes == {**NONE, "trace": COUNT - arrived}


def test_what_is_done_to_packets_that_arrive(shared_rig: Rig) -> None:
    arrived, found = sent(shared_rig, Condition(duplicate=Duplicate(HALF)))
    assert (found.dropped, found.effects) == (0, {**UNTOUCHED, "duplicated": arrived - COUNT})
    assert arrived > COUNT
    _, found = sent(shared_rig, Condition(corrupt=Corrupt(ALL)))
    assert (found.dropped, found.effects) == (0, {**UNTOUCHED, "corrupted": COUNT})
    arrived, found = sent(shared_rig, Condition(delay=delay(60), reorder=Reorder(HALF)))
    assert (found.dropped, arrived) == (0, COUNT)
    assert 0 < (found.reordered or 0) < COUNT


def test_sums_survive_a_pump_that_died_another_engine_s_line_and_a_new_interface(rig: Rig) -> None:
    """And begin anew with other rules, not with other conditions beside."""

    def lose() -> int:
        return COUNT - len(datagrams(rig.net.client, rig.net.server, [bytes(SIZE)] * COUNT))

    lossy = rule(Condition(loss=LossRandom(HALF)), direction="egress", protocol="udp", priority=0)
    rig.set(lossy, engine="pump")
    lost = lose()
    assert rig.shown().rules[0].loss == lost
    rig.kill("pump")
    until(lambda: rig.process("pump") and rig.shown().in_force, 30, "the keeper starts another")
    assert rig.shown().rules[0].loss == lost
    lost += lose()
    rig.set(rule(delay(1), protocol="tcp"), name="beside", engine="pump")
    rig.clear("beside")
    rig.set(lossy, engine="pump")
    assert rig.shown().rules[0].loss == rig.shown().rules[0].dropped == lost
    assert rig.shown().rules[0].packets == 2 * COUNT
    rig.set(rule(Condition(loss=LossRandom(ALL)), direction="egress", protocol="udp"), engine="pump")
    assert (rig.shown().rules[0].packets, rig.shown().rules[0].dropped) == (0, 0)
    assert lose() == rig.shown().rules[0].loss == COUNT
