"""Writes what comes from declarations: the pages of docs/reference but fidelity.md, and Kubernetes' definitions of our kinds.

python -m tools.gen_docs          writes them
python -m tools.gen_docs --check  exit 1 when one is stale
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from netweather.conditions.declare import Declared, camel, declared_fields, is_declared
from netweather.conditions.language.codec import write
from netweather.conditions.language.flags import FLAGS
from netweather.conditions.loss import LOSS_MODELS
from netweather.conditions.match import Match
from netweather.conditions.model import (
    Condition,
    Corrupt,
    Delay,
    Duplicate,
    NetworkCondition,
    RateLimit,
    Reorder,
    Rule,
    Slot,
)
from netweather.conditions.scenario import Flap, Ramp, Scenario, Step
from netweather.kubernetes.objects.crds import manifest
from netweather.wire.event_documents import EVENTS
from netweather.wire.schema_types import REQUIRED

ROOT: Final = Path(__file__).resolve().parent.parent
COMMAND: Final = "python -m tools.gen_docs"
_MADE: Final = f"<!-- Made by `{COMMAND}`; change what it is made of instead. -->"


def pages() -> dict[Path, str]:
    """Every generated page: its path and what must stand there."""
    folder = ROOT / "docs" / "reference"
    return {
        folder / "cli.md": cli_page(),
        folder / "conditions.md": conditions_page(),
        folder / "scenarios.md": scenarios_page(),
        folder / "events.md": events_page(),
        ROOT / "deploy" / "kubernetes" / "base" / "crds.yaml": manifest(),
    }


def stale() -> list[Path]:
    """The pages that are not as they would be written now."""
    return [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]


# the command line


def cli_page() -> str:
    """All --help pages, as a terminal of 80 columns without colours shows them."""
    from netweather.cli.command_list import COMMANDS
    from netweather.cli.kubectl import COMMANDS as PLUGIN

    parts = ["# The command line", _MADE, "Errors and exit codes: [errors](../errors.md). Values: [conditions](conditions.md)."]
    parts += ["```text", help_page(()), "```"]
    for entry in COMMANDS:
        parts += [f"## netweather {entry.name}", "```text", help_page((entry.name,)), "```"]
    for entry in PLUGIN:
        parts += [f"## kubectl netweather {entry.name}", "```text", help_page((entry.name,), plugin=True), "```"]
    return _joined(parts)


def help_page(words: tuple[str, ...], *, plugin: bool = False) -> str:
    """What `netweather WORDS --help` prints, or `kubectl netweather WORDS --help`."""
    import click

    from netweather.cli import app
    from netweather.cli import kubectl as plugins

    before = {name: os.environ.get(name) for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    os.environ |= {"COLUMNS": "80", "NO_COLOR": "1"}
    try:
        command: Any = plugins.program() if plugin else app.program()
        context = click.Context(command, info_name=plugins.NAME if plugin else "netweather", **command.context_settings)
        for word in words:
            command = command.get_command(context, word)
            context = click.Context(command, info_name=word, parent=context)
        return "\n".join(line.rstrip() for line in str(command.get_help(context)).splitlines())
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


# the condition language


def conditions_page() -> str:
    """Each parameter with its keys, unit, range and meaning."""
    parts = ["# Conditions", _MADE, _INTRODUCTION]
    for title, cls in _SECTIONS:
        parts += [f"## {title}", (cls.__doc__ or "").strip(), _table(cls)]
    parts += ["## Loss models", "`loss: 1%` is the model `random`. Choose other models by name: `--loss-model` or `model:`."]
    for name, cls in LOSS_MODELS.items():
        parts += [f"### {name}", (cls.__doc__ or "").strip().replace("\n    ", "\n"), _table(cls)]
    parts += ["## Flags and their keys", _flags_table(), "## Units", _UNITS]
    return _joined(parts)


def scenarios_page() -> str:
    """Each key of a scenario."""
    about = "A timeline of conditions: [how scenarios are played](../scenarios.md). A step also has the keys of [a match](conditions.md)."
    parts = ["# Scenarios", _MADE, about]
    for title, cls in (("The scenario", Scenario), ("A step", Step), ("ramp", Ramp), ("flap", Flap)):
        parts += [f"## {title}", (cls.__doc__ or "").strip().replace("\n    ", "\n"), _table(cls)]
    return _joined(parts)


def events_page() -> str:
    """Each kind of event with its data."""
    about = (
        "`GET /v1/events` of [the agent](../agent.md) streams them. The data of each event is a JSON object that also has `time`."
    )
    rows = ["| event | data | meaning |", "|---|---|---|"]
    for kind, each in EVENTS.items():
        data = (f"`{key}`{'' if one.default is REQUIRED else ' (optional)'}" for key, one in each.properties.items())
        rows.append(f"| `{kind}` | {', '.join(data)} | {each.about} |")
    return _joined(["# Events", _MADE, about, "\n".join(rows)])


_INTRODUCTION: Final = """You can write conditions as options, YAML, JSON or Python. Keys are in camelCase in YAML and JSON,
and in snake_case in Python. 0 is a valid value, as in `loss: 0%`. `rtt: 200ms` is a delay of 100 ms in each direction. Netweather refuses
contradictions and names the reason; see [errors](../errors.md)."""
_SECTIONS: Final[tuple[tuple[str, type[Any]], ...]] = (
    ("The network condition", NetworkCondition),
    ("Rules", Rule),
    ("Match", Match),
    ("Condition", Condition),
    ("delay", Delay),
    ("duplicate", Duplicate),
    ("corrupt", Corrupt),
    ("reorder", Reorder),
    ("rate", RateLimit),
    ("slot", Slot),
)
_UNITS: Final = """| unit | spelt | |
|---|---|---|
| time | `250us` `100ms` `1.5s` `10m` `1h` | ns, us, ms, s, m, h, d; whole nanoseconds |
| percent | `3%` `0.01%` | with the sign %; 0 to 100 %, steps of 0.0000001 % |
| rate | `64kbit` `10mbit` `1gbit` | bits a second, powers of 1000; bytes (`mbps` to tc) are refused |
| size | `1500b` `64kb` `64kib` | kb is 1000 bytes, kib is 1024 |
| packets | `1000` | a whole number |"""


def _table(cls: type[Any]) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for field in _flattened(cls):
        default = "required" if field.required else _default(field)
        rows.append(f"| `{field.key}` | {_value(field)} | {default} | {_escaped(field.about.doc)} |")
    return "\n".join(rows)


def _flattened(cls: type[Any]) -> Iterator[Declared]:
    """A rule's match stands in the rule itself, and has a section of its own."""
    yield from (field for field in declared_fields(cls) if not field.about.flat)


def _value(field: Declared) -> str:
    """What may be written: choices, or unit, range and example."""
    about = field.about
    parts = [", ".join(f"`{choice}`" for choice in _choices(field.hint)) or about.unit or _kind(field.hint)]
    if about.minimum is not None and about.maximum is not None:
        parts.append(f"{_power(about.minimum)} to {_power(about.maximum)}")
    if about.example and not _choices(field.hint):
        parts.append(f"such as `{about.example}`")
    return _escaped(", ".join(part for part in parts if part))


def _power(number: int) -> str:
    """2^64-1 rather than 20 digits."""
    for exponent in (31, 32, 63, 64):
        named = {2**exponent - 1: f"2^{exponent}-1", -(2**exponent): f"-2^{exponent}"}
        if number in named:
            return named[number]
    return str(number)


def _choices(hint: Any) -> tuple[str, ...]:
    if get_origin(hint) is Literal:
        return tuple(str(choice) for choice in get_args(hint))
    if get_origin(hint) in (Union, UnionType):
        members = [member for member in get_args(hint) if member is not NoneType]
        return _choices(members[0]) if len(members) == 1 else ()
    return ()


def _kind(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return "a list"
    return "true or false" if hint is bool else ""


def _default(field: Declared) -> str:
    if field.default in (None, (), "") or is_declared(type(field.default)):
        return ""
    return f"`{str(write(field.default)).lower() if isinstance(field.default, bool) else write(field.default)}`"


def _flags_table() -> str:
    rows = ["| flag | key | |", "|---|---|---|"]
    for flag in FLAGS:
        place = ".".join(camel(word) for word in flag.path).removesuffix("rtt.time") + ("rtt" if "rtt" in flag.path else "")
        needs = f"needs {' or '.join(f'`--{need}`' for need in flag.needs)}" if flag.needs else ""
        rows.append(f"| `--{flag.name}` | `{place}` | {needs} |")
    return "\n".join(rows)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _joined(parts: list[str]) -> str:
    """Paragraphs with a line between them, and none around what stands in a fence."""
    text, fenced = "", False
    for part in parts:
        text += ("\n" if fenced or part == "```" else "\n\n" if text else "") + part
        fenced = part.startswith("```") and not fenced and part != "```"
    return text + "\n"


def main(arguments: list[str]) -> int:
    """Writes what is stale, or with --check only tells of it."""
    found = stale()
    for path in found:
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pages()[path], encoding="utf-8")
        print(f"{path.relative_to(ROOT)} {'is stale' if '--check' in arguments else 'written'}")
    return 1 if found and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
