"""What the kernel holds for a target, read back and compared with what its journal says: rules, devices, each line's parameters.

Reads only. Not here: whether a condition is in force at a glance (status), and what packets see of it (verifying).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any

from netweather.engine import entries
from netweather.engine.core import Engine
from netweather.engine.views.status import problems
from netweather.kernel.datapath.operations import WriteRules
from netweather.kernel.datapath.pump_file import ParamsFile
from netweather.kernel.datapath.spec import Datapath, Line, digest_of
from netweather.kernel.netlink.netem_attributes import Netem, unpack
from netweather.kernel.netlink.netem_attributes import differences as netem_differences
from netweather.kernel.waiting import until
from netweather.lines.params import ConfigError, LineParams, LineStats
from netweather.planning.vectors import compile_tables
from netweather.targets import Target

TAKING_S = 1.0
"""How long a pump may take to notice new parameters."""
_LONG = frozenset({"delay_table", "slot_table", "losses", "trace"})
"""Fields that the pump's block tells by their checksums only, and netem not at all."""


@dataclass(frozen=True)
class ReadBack:
    """What the kernel holds for a target. problems: what is wrong with it; broken: it isn't in force at all."""

    datapath: Datapath = field(default_factory=Datapath)
    problems: tuple[str, ...] = ()
    plain: dict[str, Any] = field(default_factory=dict)
    broken: bool = False


def read_back(engine: Engine, target: Target) -> ReadBack:
    """Reads all of it, under the journal's lock."""
    with engine.journal.locked(target.identity):
        entry = engine.journal.read(target.identity)
        if entry is None:
            return ReadBack(problems=("nothing of it is in force",), broken=True)
        datapath, _ = entries.datapath(entry)
        with engine.kernel(entry.target, target.netns_fd, entry.hook) as kernel:
            observed = kernel.observe()
            missing = problems(entry, datapath, observed)
            wrong = list(missing)
            if not missing:
                wrong += kernel.differences(_written(datapath))
            netems = kernel.netems() if any(line.engine == "netem" for line in datapath.lines) else {}
        lines = [_netem_line(line, netems.get(line.index)) for line in datapath.lines if line.engine == "netem"]
        lines += _pump_lines(engine, target, [line for line in datapath.lines if line.engine == "pump"])
    for line in lines:
        wrong += [
            f"emulated link {line['index']} ({line['direction']} of {line['interface']}): {text}" for text in line["differences"]
        ]
    plain = {
        "rulesDigest": f"{observed.rules or 0:016x}",
        "rulesDigestAsked": f"{digest_of(datapath.rules):016x}",
        "attached": sorted(observed.attached),
        "hook": observed.hook,
        "hidden": list(observed.hidden),
        "lines": sorted(lines, key=lambda line: int(line["index"])),
    }
    return ReadBack(datapath, tuple(wrong), plain, bool(missing))


def _written(datapath: Datapath) -> WriteRules:
    """What the classifier must hold; lines are compared field by field below."""
    return WriteRules(compile_tables(datapath.rules, datapath.interfaces), datapath.leases, replace(datapath, lines=()))


def _netem_line(line: Line, seen: Netem | None) -> dict[str, Any]:
    """One of the kernel's: asked after the rounding that the kernel does, and held."""
    asked = unpack(line.parameters)
    wrong = ["the netem qdisc is missing"] if seen is None else netem_differences(asked, seen)
    return _told(line, _plain(asked.held()), None if seen is None else _plain(seen), wrong)


def _told(line: Line, asked: dict[str, Any], held: dict[str, Any] | None, wrong: list[str]) -> dict[str, Any]:
    return {
        "index": line.index,
        "direction": line.direction,
        "interface": line.interface.name,
        "engine": line.engine,
        "requested": asked,
        "held": held,
        "differences": wrong,
    }


def _plain(parameters: Netem | LineParams) -> dict[str, Any]:
    """The fields that are used, for JSON; models and slots as texts."""
    values = {each.name: getattr(parameters, each.name) for each in fields(parameters) if each.name not in _LONG}
    return {name: value if isinstance(value, int) else str(value) for name, value in values.items() if value}


def _pump_lines(engine: Engine, target: Target, lines: list[Line]) -> list[dict[str, Any]]:
    path = engine.journal.directory(target.identity) / "params"
    if not lines or not path.exists():
        return []
    with ParamsFile(path) as file:
        return [_pump_line(line, file) for line in lines]


def _pump_line(line: Line, file: ParamsFile) -> dict[str, Any]:
    until(lambda: _taken(line, file), TAKING_S)
    asked = _plain(LineParams.unpack(line.parameters))
    try:
        held = _plain(LineParams.unpack(file.parameters(line.index)))
    except ValueError:
        held = None
    return _told(line, asked, held, pump_differences(line, file))


def decided(engine: Engine, target: Target, lines: Iterable[int]) -> tuple[int, ...]:
    """Of how many packets each of these lines of a pump has decided whether to lose them, since that began."""
    with ParamsFile(engine.journal.directory(target.identity) / "params") as file:
        return tuple(LineStats.unpack(file.statistics(line)).decided for line in lines)


def _taken(line: Line, file: ParamsFile) -> bool:
    """Whether the pump does what its block says; it looks there when it is woken or has something to do."""
    return LineStats.unpack(file.statistics(line.index)).applied_generation == int.from_bytes(
        file.parameters(line.index)[:8], "little"
    )


def pump_differences(line: Line, file: ParamsFile) -> list[str]:
    """The parameters that a pump has, or has not taken yet, that are not what was requested."""
    block = file.parameters(line.index)
    different = []
    if block[8:] != line.parameters[8:]:
        try:
            asked, held = LineParams.unpack(line.parameters), LineParams.unpack(block)
        except ValueError:
            return ["the pump's parameters are damaged"]
        names = [n for n in LineParams.__slots__ if n not in _LONG and getattr(asked, n) != getattr(held, n)]
        different = [f"{name} is {getattr(held, name)}, {getattr(asked, name)} was requested" for name in names] or [
            "other tables"
        ]
    if not _taken(line, file):
        different.append("the pump has not taken its parameters")
    stats = LineStats.unpack(file.statistics(line.index))
    if stats.config_error is not ConfigError.OK:
        different.append(f"the pump complains of its parameters: {stats.config_error.name.lower()}")
    return different
