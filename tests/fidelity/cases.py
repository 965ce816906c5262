"""cases.yaml as objects. Not here: running them (test_cases), and what an expectation means (kinds)."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from netweather.conditions import Rule, load_rule, validate_rule
from tests.fidelity.kinds import CLEAN, KINDS
from tests.fidelity.traffic import PORT, Traffic

FILE = Path(__file__).with_name("cases.yaml")
FILES = "files/"
"""A text of the condition that begins so is the name of a file, of the list on top of cases.yaml."""
WHOLE = ("delay-10ms", "loss-10%")
"""Cases of which `make test` has every combination of direction and family; of the others it has the first."""


@dataclass(frozen=True)
class Case:
    """One case. expect: all that is checked, with what holds unless said otherwise. refused: the kind that a planted error fails.

    again: what is set after it, each from nothing: changes to the condition. full: whether it is a further combination of a case
    whose first one is in `make test`.
    """

    name: str
    condition: Mapping[str, Any]
    traffic: Traffic
    expect: Mapping[str, Any]
    direction: Literal["egress", "ingress", "both"] = "egress"
    family: Literal[4, 6] = 4
    refused: str = ""
    again: tuple[Mapping[str, Any], ...] = ()
    full: bool = False

    @property
    def serial(self) -> bool:
        """Whether it looks at time, so that nothing else may run beside it."""
        return any(KINDS[name].timing for name in self.expect)

    @property
    def ways(self) -> tuple[Literal["egress", "ingress"], ...]:
        """Which ways its traffic goes, as the target sees it."""
        if self.traffic.way:
            return (self.traffic.way,)
        if self.direction == "both":
            return ("egress", "ingress") if self.traffic.kind in ("packets", "tcp") else ("egress",)
        return (self.direction,)

    @property
    def seed(self) -> int:
        return zlib.crc32(self.name.encode())

    def rule(self, folder: Path, changes: Mapping[str, Any] | None = None, *, seeded: bool = True) -> Rule:
        """The rule that is set; files are in the folder. It has a seed of its own unless it names one, or can't.

        seeded: whether it has a seed that it doesn't name.
        """
        condition = _with_paths({"seed": self.seed, **self.condition, **(changes or {})}, folder)
        named = "seed" in self.condition or "seed" in (changes or {})
        if not (named or seeded) or "block" in condition or self.traffic.kind == "knock":
            condition.pop("seed")
        match: dict[str, Any] = {"direction": self.direction, "protocol": self.traffic.protocol}
        if self.traffic.kind != "tcp":
            match["ports"] = [PORT]
        return validate_rule(load_rule({**match, "condition": condition}))

    @property
    def chances(self) -> int:
        """How many checks it makes that each refuse a system that is right with the chance ALPHA."""
        return len(self.ways) * sum(KINDS[name].chances for name, asked in self.expect.items() if not is_exact(asked))


def is_exact(asked: Any) -> bool:
    """Whether an expectation of the packets that something happens to leaves nothing to chance."""
    return asked in (0, "any", "0%", "100%") or (
        isinstance(asked, dict) and bool({"every", "numbers", "over", "least"} & set(asked))
    )


def _with_paths(data: Any, folder: Path) -> Any:
    if isinstance(data, Mapping):
        return {key: _with_paths(value, folder) for key, value in data.items()}
    if isinstance(data, str) and data.startswith(FILES):
        return str(folder / data.removeprefix(FILES))
    return data


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def write_files(folder: Path) -> None:
    """The tables and traces that conditions name."""
    for name, text in document()["files"].items():
        (folder / name).write_text(text)


@cache
def all_cases() -> list[Case]:
    """Every case, one for each combination below `over`; then those with planted errors."""
    made = [case for entry in document()["cases"] for case in _expanded(entry)]
    return [case for case in made if not case.refused] + [case for case in made if case.refused]


def _expanded(entry: dict[str, Any]) -> Iterator[Case]:
    """The first combination takes the planted errors; the further ones are long, but of those in WHOLE."""
    over = entry.get("over", {})
    planted, further = entry.get("planted", ()), False
    for values in itertools.product(*over.values()):
        changes = {**dict(zip(over, values, strict=True)), "planted": planted}
        words = [_word(key, changes[key]) for key in over]
        yield from _cases({**entry, **changes, "full": further and entry["name"] not in WHOLE}, "-".join([entry["name"], *words]))
        planted, further = (), True


def _word(key: str, value: Any) -> str:
    return f"ipv{value}" if key == "family" else str(value)


def _cases(entry: dict[str, Any], name: str) -> Iterator[Case]:
    unknown = set(entry) - {f.name for f in fields(Case)} - {"over", "planted"}
    assert not unknown, f"{name}: {unknown}"
    traffic = {**entry.get("traffic", {})}
    traffic["sizes"] = tuple(traffic.get("sizes", ()))
    case = Case(
        name,
        entry["condition"],
        Traffic(**traffic),
        {},
        entry.get("direction", "egress"),
        entry.get("family", 4),
        again=tuple(entry.get("again", ())),
        full=entry["full"],
    )
    expect = {**CLEAN.get(case.traffic.kind, {}), **entry["expect"]}
    yield replace(case, expect=expect)
    for number, planted in enumerate(entry.get("planted", ()), 1):
        kind = planted["refused"]
        changed = {key: planted[key] for key in ("condition", "direction", "again") if key in planted}
        changed["again"] = tuple(planted.get("again", case.again))
        yield replace(case, name=f"{name}-planted-{number}", expect={kind: expect[kind]}, refused=kind, **changed)
