from __future__ import annotations

from dataclasses import replace

from netweather.engine.views import counters
from netweather.kernel.datapath.spec import LineCounts, LineId, RuleId
from netweather.results import RuleCounters

A, B, C = (RuleId(name, 0) for name in "abc")
OUT, BACK, OF_B, OF_C = (
    LineId(A, "egress", "eth0", "pump"), LineId(A, "ingress", "eth0", "pump"), LineId(B, "egress", "eth0", "pump"),
    LineId(C, "egress", "eth0", "pump"),
)  # fmt: skip
LOST = LineCounts(dropped=7, loss=5, queue=2, duplicated=3)
RULES = [A, B]


def told(lines: dict[LineId, LineCounts], kept: counters.Carried, matched: tuple[int, int, int] = (100, 5000, 0)) -> RuleCounters:
    return counters.of_rule([A], [matched], lines, kept)


def test_the_causes_are_those_of_all_its_lines() -> None:
    found = told({OUT: LOST, BACK: LineCounts(dropped=1, mtu=1), OF_B: LOST}, {}, (100, 5000, 4))
    assert (found.packets, found.bytes, found.dropped) == (100, 5000, 12)
    assert found.causes == {"blocked": 4, "loss": 5, "trace": 0, "mtu": 1, "queue": 2}
    assert found.effects == {"marked": 0, "duplicated": 3, "corrupted": 0, "reordered": 0}


def test_several_rules_are_one_sum() -> None:
    lines = {OUT: LOST, OF_B: LOST}
    assert counters.of_rule([A, B], [(1, 2, 0), (3, 4, 0)], lines, {}).dropped == 14


def test_what_a_line_that_is_gone_had_counted_stays() -> None:
    kept = counters.carried({}, {OUT: LOST, BACK: LOST}, {BACK: LOST}, None, RULES)
    assert told({BACK: LOST}, kept).dropped == 14
    again = counters.carried(kept, {BACK: LOST}, {BACK: LOST}, None, RULES)
    assert again == kept


def test_what_a_line_had_counted_before_it_began_at_zero_stays() -> None:
    kept = counters.carried({}, {OUT: LOST}, {OUT: LineCounts()}, None, RULES)
    assert told({OUT: LineCounts(dropped=1, loss=1)}, kept).loss == 6


def test_a_condition_with_other_rules_begins_anew_although_its_line_counts_on() -> None:
    kept = counters.carried({A: {"loss": 9}}, {OUT: LOST}, {OUT: LOST}, "a", RULES)
    assert told({OUT: LOST}, kept).dropped == 0
    assert told({OUT: replace(LOST, dropped=8, loss=6)}, kept).loss == 1


def test_the_sums_of_a_rule_that_is_gone_are_forgotten() -> None:
    assert counters.carried({C: {"loss": 9}}, {OF_C: LOST}, {}, None, RULES) == {}


def test_what_an_engine_does_not_tell_is_not_zero() -> None:
    netem = LineCounts(dropped=7, loss=None, queue=None, duplicated=None)
    found = told({OUT: netem, BACK: LOST}, {})
    assert (found.dropped, found.loss, found.queue, found.duplicated, found.corrupted) == (14, None, None, None, 0)
    kept = counters.carried({}, {OUT: netem}, {}, None, RULES)  # another engine makes the line from now on
    assert told({OUT: LOST}, kept).loss is None
    assert told({OUT: LOST}, kept).dropped == 14
