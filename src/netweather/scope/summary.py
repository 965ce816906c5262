"""Which of a container's conditions applies to its traffic, and all of them in words. Pure. Not here: the form of a report (report)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final

from netweather.conditions import LossRandom, Match, Rule
from netweather.conditions.language.flags import rule_to_flags
from netweather.results import ConditionStatus, Experienced
from netweather.scope.picture import SeenCondition

UNSET: Final = "-"
_NAMELESS: Final = ("profile", "delay", "loss", "rate")
"""Flags whose value says enough."""
_EVERYTHING: Final = {each.name: getattr(Match(), each.name) for each in fields(Match) if each.name != "direction"}


@dataclass(frozen=True)
class Applied:
    """A rule, and the condition that it belongs to."""

    standing: SeenCondition
    rule: Rule

    def hides(self, other: Applied) -> bool:
        """Whether all packets of the other rule, of the same direction, match this one, too."""
        if self.standing.shown.condition.exclude:
            return False
        mine, others = self.rule.match, other.rule.match
        return all(getattr(mine, name) in (every, getattr(others, name)) for name, every in _EVERYTHING.items())

    @property
    def is_for_all(self) -> bool:
        return all(getattr(self.rule.match, name) == every for name, every in _EVERYTHING.items())


def applied(standing: Iterable[SeenCondition], direction: str) -> list[Applied]:
    """The rules that can match packets of a direction, the first that wins first; without those that an earlier one hides."""
    rules = [
        Applied(each, rule)
        for each in standing
        if each.shown.in_force
        for rule in each.shown.condition.rules
        if rule.match.direction in (direction, "both")
    ]
    found: list[Applied] = []
    for each in sorted(rules, key=lambda each: each.rule.priority):
        if not any(earlier.hides(each) for earlier in found):
            found.append(each)
    return found


def main(standing: Iterable[SeenCondition], direction: str) -> Applied | None:
    """What applies to most traffic of a direction: the rule for all of it, else the first one."""
    found = applied(standing, direction)
    return next((each for each in found if each.is_for_all), found[0] if found else None)


def hidden(standing: tuple[SeenCondition, ...]) -> set[str]:
    """The names of the conditions in force none of whose rules can match a packet, because others come first."""
    seen = {each.standing.name for direction in ("egress", "ingress") for each in applied(standing, direction)}
    return {each.name for each in standing if each.shown.in_force and each.shown.condition.rules} - seen


def properties(standing: tuple[SeenCondition, ...]) -> dict[str, str]:
    """The rows of the original's table, of what applies to most of what the container sends. "-": nothing of the kind."""
    rule = main(standing, "egress")
    delay = rule.rule.condition.delay if rule else None
    loss = rule.rule.condition.loss if rule else None
    return {
        "latency": f"{delay.time.ns / 1e6:.15g}ms" if delay else UNSET,
        "pktloss": str(loss.percent) if isinstance(loss, LossRandom) else UNSET,
    }


def sentence(standing: tuple[SeenCondition, ...], note: str, now: float) -> str:
    """All of it in one line: "500 ms, 10 %, 9 min left". "-": nothing is in force, and there is nothing to know."""
    parts = []
    sent = main(standing, "egress")
    rule = sent or main(standing, "ingress")
    if rule is not None:
        parts += [_short(rule.rule), *([] if sent else ["incoming"]), left(rule.standing, now)]
        others = sum(each.shown.in_force for each in standing) - 1
        parts += [f"{others} more"] if others else []
    wrong = [f"{each.name}: {_problem(each.shown)}" for each in standing if not each.shown.in_force]
    return "; ".join([*([", ".join(parts)] if parts else []), *wrong, *([note] if note else [])]) or UNSET


def left(standing: SeenCondition, now: float) -> str:
    """How long the lease still is."""
    if standing.ends_at is None:
        return "no end"
    seconds = max(0, int(standing.ends_at - now))
    return next(
        (f"{seconds // size} {unit} left" for size, unit in ((3600, "h"), (60, "min")) if seconds >= 2 * size),
        f"{seconds} s left",
    )


def row(standing: SeenCondition, hides: set[str], now: float) -> dict[str, str]:
    """A condition's cells."""
    shown = standing.shown
    owner = f" ({shown.condition.owner})" if shown.condition.owner else ""
    return {
        "what": ("; ".join(map(words, shown.condition.rules)) or "nothing") + owner,
        "packets": f"{standing.packets}, {standing.dropped} lost{_causes(standing.shown)}",
        "rtt": _by_rule(shown, _trips),
        "state": _state(standing, hides, now),
    }


def _causes(shown: ConditionStatus) -> str:
    """' (95 loss, 5 queue; 3 duplicated)': why packets were lost, and what else was done to packets."""
    parts = (", ".join(f"{n} {name}" for name, n in found.items() if n) for found in (shown.causes, shown.effects))
    told = "; ".join(filter(None, parts))
    return f" ({told})" if told else ""


def _state(standing: SeenCondition, hides: set[str], now: float) -> str:
    if standing.ended_at is not None:
        return "ended"
    if not standing.shown.in_force:
        return _problem(standing.shown)
    return f"hidden, {left(standing, now)}" if standing.name in hides else left(standing, now)


def _problem(shown: ConditionStatus) -> str:
    return "; ".join(shown.problems) or "not in force"


def _by_rule(shown: ConditionStatus, told: Callable[[Experienced], str]) -> str:
    """In the rules' order, as in the column `what`."""
    if not any(shown.lived or ()):
        return UNSET
    return "; ".join(UNSET if each is None else told(each) for each in shown.lived or ())


def _trips(lived: Experienced) -> str:
    """Before the condition and now, and segments sent again."""
    if lived.rtt is None:
        return UNSET
    trips = _trip(lived.rtt) if lived.rtt_before is None else f"{_trip(lived.rtt_before)} → {_trip(lived.rtt)}"
    return f"{trips}, {lived.retransmits} resent"


def _trip(microseconds: float) -> str:
    ms = microseconds / 1000
    return f"{ms:.0f} ms" if ms >= 100 else f"{ms:.3g} ms"


@lru_cache(maxsize=4096)
def words(rule: Rule) -> str:
    """A rule by its flags, which are the words of the command line: 'delay 100ms, port 5432'."""
    told = [value if flag == "direction" else f"{flag} {value}".rstrip() for flag, value in _flags(rule).items()]
    return ", ".join(each if len(each) < 120 else f"{each[:120]}…" for each in told) or "nothing wrong"


@lru_cache(maxsize=4096)
def _short(rule: Rule) -> str:
    """The same, shorter: '100 ms, port 5432'."""
    flags = {flag: value for flag, value in _flags(rule).items() if flag not in ("direction", "priority")}
    told = [
        re.sub(r"(?<=\d)(?=[a-z%])", " ", flags[flag]) if flag != "profile" else flags[flag]
        for flag in _NAMELESS
        if flag in flags
    ]
    told += [f"{flag} {value}".rstrip() for flag, value in flags.items() if flag not in _NAMELESS]
    return ", ".join(each if len(each) < 60 else f"{each[:60]}…" for each in told) or "nothing wrong"


def _flags(rule: Rule) -> dict[str, str]:
    """Each flag with its value as text; "" for one without a value."""
    flags = {flag: value for flag, value in rule_to_flags(rule).items() if (flag, value) != ("direction", "both")}
    return {
        flag: "" if value is True else " ".join(value) if isinstance(value, list) else str(value) for flag, value in flags.items()
    }
