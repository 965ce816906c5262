from __future__ import annotations

from typing import Any

import pytest

from netweather.conditions import explain, explain_rule, load_condition, rule_from_flags
from netweather.conditions.estimates.effects import effects_of
from netweather.conditions.estimates.traps import Path, probe_failure


def codes(**short: Any) -> set[str]:
    condition = load_condition(short)
    return {trap.code for trap in explain(condition, condition).traps}


def what(code: str, **short: Any) -> str:
    condition = load_condition(short)
    return next(trap.what for trap in explain(condition, condition).traps if trap.code == code)


@pytest.mark.parametrize(
    ("short", "expected"),
    [
        ({}, set()),
        ({"delay": "1ms"}, set()),
        ({"delay": "100ms"}, {"delay-multiplies"}),
        ({"delay": "260ms"}, {"delay-multiplies", "liveness-probe"}),
        ({"delay": "600ms"}, {"delay-multiplies", "liveness-probe", "syn-twice"}),
        ({"delay": {"time": "10ms", "jitter": "1ms"}}, {"jitter-reorders"}),
        ({"delay": {"time": "10ms", "jitter": "1ms", "keepOrder": True}}, set()),
        ({"delay": {"time": "1ms", "jitter": "2ms", "keepOrder": True}}, {"jitter-clamped"}),
        ({"delay": {"time": "1ms", "jitter": 0, "distribution": "normal"}}, {"jitter-missing"}),
        ({"delay": "1ms", "reorder": "5%"}, set()),
        ({"loss": "0.1%"}, {"dns-waits"}),
        ({"loss": "5%"}, {"dns-waits", "liveness-probe"}),
        ({"loss": "100%"}, {"nothing-arrives", "liveness-probe"}),
        ({"block": "drop"}, {"nothing-arrives", "liveness-probe"}),
        ({"block": "reject"}, {"refused-at-once", "liveness-probe"}),
        ({"rate": "100mbit", "delay": "20ms", "limit": 1000}, {"rate-per-interface"}),
        ({"rate": "100mbit", "delay": "24ms", "limit": 100}, {"limit-too-small", "rate-per-interface"}),
        ({"limit": 0}, {"limit-too-small"}),
        ({"rate": 0}, {"rate-zero"}),
        ({"rate": "9600bit"}, {"rate-per-interface", "delay-multiplies"}),
        ({"rate": "2kbit"}, {"rate-per-interface", "delay-multiplies", "liveness-probe"}),
        ({"rate": "1kbit"}, {"rate-per-interface", "delay-multiplies", "liveness-probe", "syn-twice"}),
        ({"corrupt": "0.1%"}, {"corruption-is-loss", "dns-waits"}),
        ({"loss": "1%", "ecn": True}, {"ecn-needs-both"}),
        ({"mtu": 1000}, {"mtu-below-ipv6", "mtu-black-hole"}),
        ({"mtu": 1500}, set()),
        ({"trace": "./x"}, {"trace-not-explained"}),
        ({"loss": "list:1"}, {"list-not-explained"}),
        ({"delay": "1ms", "reorder": {"percent": "10%", "correlation": "50%"}}, {"correlation-changes-share"}),
        ({"duplicate": {"percent": "50%", "correlation": "50%"}}, set()),
    ],
)
def test_traps(short: dict[str, Any], expected: set[str]) -> None:
    assert codes(**short) == expected


def test_traps_say_how_much() -> None:
    assert "200 packets wait" in what("limit-too-small", rate="100mbit", delay="24ms", limit=100)
    assert "loss 10% becomes about 0.11%" in what("correlation-changes-share", loss={"percent": "10%", "correlation": "50%"})
    assert "200 ms" in what("delay-multiplies", delay="100ms")
    assert "always fails: connect and answer take 1.2" in what("liveness-probe", delay="300ms")


def test_each_direction_is_named_when_they_differ() -> None:
    rule = rule_from_flags({"delay": "10ms", "jitter": "1ms", "direction": "egress"})
    assert [trap.what.split(":")[0] for trap in explain_rule(rule).traps] == ["egress"]


def test_every_trap_has_a_remedy() -> None:
    rule = rule_from_flags({"profile": "very-bad", "limit": "1", "corrupt": "1%"})
    traps = explain_rule(rule).traps
    assert len(traps) >= 5
    assert all(trap.remedy and trap.what for trap in traps)
    assert len({(trap.code, trap.what) for trap in traps}) == len(traps)


@pytest.mark.parametrize(
    ("delay", "loss", "rtt", "failure"),
    [("0", "0%", 0.0, 0.0), ("0", "10%", 0.001, 0.19), ("0", "10%", 0.3, 1 - 0.81**2), ("0", "0%", 0.5, 1.0)],
)
def test_probes_fail_by_delay_by_a_lost_syn_or_by_a_late_repeat(delay: str, loss: str, rtt: float, failure: float) -> None:
    condition = load_condition({"delay": delay, "loss": loss})
    path = Path(condition, condition, effects_of(condition), effects_of(condition), rtt, rtt, 2 * rtt)
    assert probe_failure(path) == pytest.approx(failure)
