"""Journals as versions before 2 wrote them: lines and rules were named by texts, and profiles were expanded by whoever read them.

A condition with a profile is read as what it was expanded to, since its lines and counters are numbered so in the kernel.
"""

from __future__ import annotations

from typing import Any

from netweather.conditions import Condition, NetworkCondition, Rule, dump, load
from netweather.conditions.profiles import expand


def upgraded(document: dict[str, Any]) -> dict[str, Any]:
    """The same journal as version 2 writes it. Raises ValueError, KeyError, NetweatherError for what is no journal."""
    slots = document["slots"]
    lines = {_line(key): number for key, number in slots["lines"].items()}
    return {
        **document,
        "slots": {
            **slots,
            "lines": [[*line, number] for line, number in lines.items()],
            "counters": [[*_rule(key), number] for key, number in slots["counters"].items()],
        },
        "carried": [[*_rule(key)[:2], counted] for key, counted in document.get("carried", {}).items()],
        "conditions": [_condition(item, list(lines)) for item in document["conditions"]],
    }


def _line(key: str) -> tuple[str, int, str, str, str]:
    """'slow/3/egress/eth0', with '/netem' behind it for one of the kernel's."""
    name, rule, direction, interface, *engine = key.split("/")
    return name, int(rule), direction, interface, engine[0] if engine else "pump"


def _rule(key: str) -> tuple[str, int, bool]:
    """'slow/3', or 'slow/exclude/0'."""
    name, *excluded, number = key.split("/")
    return name, int(number), bool(excluded)


def _condition(item: dict[str, Any], lines: list[tuple[str, int, str, str, str]]) -> dict[str, Any]:
    condition = expand(load(item["document"]))
    rules: list[dict[str, Any]] = [
        {"origin": number, "engine": _engine(condition, number, rule, lines), "why": []}
        for number, rule in enumerate(condition.rules)
    ]
    return {**item, "document": dump(condition), "rules": rules}


def _engine(condition: NetworkCondition, number: int, rule: Rule, lines: list[tuple[str, int, str, str, str]]) -> str | None:
    if rule.condition.block or rule.condition == Condition():
        return None
    made = [engine for name, at, _, _, engine in lines if (name, at) == (condition.name, number)]
    return made[0] if made else "netem" if condition.engine == "netem" else "pump"
