"""Which engine makes a line: netem where the kernel has it and it can do all that was asked, else the pump; and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netweather.conditions import Condition, Rule
from netweather.conditions.model import EngineName as Asked
from netweather.errors import NetweatherError
from netweather.kernel.datapath.spec import Engine, PacketDirection
from netweather.kernel.features import features
from netweather.lines import netem_line, pump_line
from netweather.planning.rules import LineSpec, PlainRule

NO_NETEM = "netem is not there"
PUMP_ONLY = netem_line.PUMP_ONLY


@dataclass(frozen=True)
class Choice:
    """The engine of one condition. why: what keeps netem from it; empty: nothing does, or the user chose."""

    engine: Engine
    why: tuple[str, ...] = ()


def choose(condition: Condition, asked: Asked) -> Choice:
    """asked: the user's choice. Raises NetweatherError(code="engine-cannot")."""
    if asked == "pump":
        return Choice("pump")
    why = tuple(_against_netem(condition))
    if not why:
        return Choice("netem")
    if asked == "netem":
        raise _cannot(list(why))
    return Choice("pump", why)


def chosen(rules: Iterable[tuple[int, Rule]], asked: Asked) -> tuple[PlainRule, ...]:
    """Plain rules with the engine of each. rules: without profiles, each with the number of the user's rule that it comes from.

    Raises NetweatherError(code="engine-cannot") when no engine, or not the one asked for, can do all of them.
    """
    reasons: list[str] = []
    found = []
    for origin, rule in rules:
        if rule.condition.block or rule.condition == Condition():
            found.append(PlainRule(rule, origin))
            continue
        choice = choose(rule.condition, asked)
        if choice.engine == "pump":
            reasons += pump_line.unsupported(rule.condition)
        found.append(PlainRule(rule, origin, choice.engine, choice.why))
    if reasons:
        raise _cannot(reasons)
    return tuple(found)


def look(condition: Condition, direction: PacketDirection, engine: Engine) -> LineSpec:
    """What the line of this condition and direction must look like."""
    if engine == "netem":
        return LineSpec(netem_line.netem_for(condition, direction).pack(), (), netem_line.whole(condition))
    return LineSpec(*pump_line.line_parameters(condition, direction))


def engines(rules: Iterable[PlainRule]) -> str:
    """'netem', 'pump', 'netem and pump', or 'classifier' of what needs no line."""
    return " and ".join(sorted({plain.engine for plain in rules if plain.engine})) or "classifier"


def told(rules: Iterable[PlainRule]) -> tuple[str, ...]:
    """For people: which engine makes the lines of these rules, and why when it isn't netem though it might be."""
    choices = dict.fromkeys((plain.engine, plain.why) for plain in rules if plain.engine)
    return tuple(f"engine {engine}" + (f": {'; '.join(why)}" if why else "") for engine, why in choices)


def _against_netem(condition: Condition) -> list[str]:
    found = features.answer("netem")
    if found.state != "yes":
        return [f"{NO_NETEM if found.state == 'no' else 'it is unknown whether this kernel has netem'}, {found.detail}"]
    return netem_line.unsupported(condition, seeds=condition.seed is not None and features.there("netem-seed"))


def _cannot(reasons: list[str]) -> NetweatherError:
    why = "; ".join(dict.fromkeys(reasons))
    return NetweatherError(
        "engine-cannot", "no engine supports the condition", why, "remove that part, or see `netweather doctor`"
    )
