"""Which engine makes a line: netem where the kernel has it and it can do all that was asked, else the pump; and why."""

from __future__ import annotations

from dataclasses import dataclass

from netweather.conditions import Condition, NetworkCondition, Rule
from netweather.conditions.model import Engine
from netweather.conditions.profiles import expand
from netweather.errors import NetweatherError
from netweather.kernel import features
from netweather.kernel.spec import Direction
from netweather.lines import netem, pump
from netweather.planning.rules import Look

NO_NETEM = "netem is not there"
PUMP_ONLY = netem.PUMP_ONLY


@dataclass(frozen=True)
class Choice:
    """The engine of one condition. why: what keeps netem from it; empty: nothing does, or the user chose."""

    engine: Engine
    why: tuple[str, ...] = ()


def choose(condition: Condition, asked: Engine) -> Choice:
    """asked: the user's choice. Raises NetweatherError(code="engine-cannot")."""
    if asked == "pump":
        return Choice("pump")
    why = tuple(_against_netem(condition))
    if not why:
        return Choice("netem")
    if asked == "netem":
        raise _cannot(list(why))
    return Choice("pump", why)


def refuse(condition: NetworkCondition) -> None:
    """Raises NetweatherError(code="engine-cannot") when no engine, or not the one asked for, can do all of a condition."""
    reasons: list[str] = []
    for rule in _with_lines(condition):
        if condition.engine == "netem":
            choose(rule.condition, "netem")
        elif choose(rule.condition, condition.engine).engine == "pump":
            reasons += pump.unsupported(rule.condition)
    if reasons:
        raise _cannot(reasons)


def look(condition: Condition, direction: Direction, asked: Engine) -> Look:
    """What the line of this condition and direction must look like."""
    if choose(condition, asked).engine == "netem":
        return Look(netem.netem_for(condition, direction).pack(), (), "netem", netem.whole(condition))
    return Look(*pump.line_parameters(condition, direction))


def engines(condition: NetworkCondition) -> str:
    """'netem', 'pump', 'netem and pump', or 'classifier' of what needs no line: what makes it on this machine."""
    return (
        " and ".join(sorted({choose(rule.condition, condition.engine).engine for rule in _with_lines(condition)})) or "classifier"
    )


def told(condition: NetworkCondition) -> tuple[str, ...]:
    """For people: which engine makes the lines of this condition, and why when it isn't netem though it might be."""
    choices = dict.fromkeys(choose(rule.condition, condition.engine) for rule in _with_lines(condition))
    return tuple(f"engine {each.engine}" + (f": {'; '.join(each.why)}" if each.why else "") for each in choices)


def _with_lines(condition: NetworkCondition) -> list[Rule]:
    return [rule for rule in expand(condition).rules if not rule.condition.block and rule.condition != Condition()]


def _against_netem(condition: Condition) -> list[str]:
    found = features.answer("netem")
    if found.state != "yes":
        return [f"{NO_NETEM if found.state == 'no' else 'nobody can tell whether netem is there'}, {found.detail}"]
    return netem.unsupported(condition, seeds=condition.seed is not None and features.there("netem-seed"))


def _cannot(reasons: list[str]) -> NetweatherError:
    why = "; ".join(dict.fromkeys(reasons))
    return NetweatherError("engine-cannot", "no engine can do what was asked", why, "leave that out, or see `netweather doctor`")
