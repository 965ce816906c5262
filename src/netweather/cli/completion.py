"""Completion of values for bash, zsh and fish: targets, profiles, names in force, choices. Cheap, and never an error."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from netweather.errors import NetweatherError

if TYPE_CHECKING:
    import click
    from click.shell_completion import BashComplete, CompletionItem

SHELLS: Final = ("bash", "zsh", "fish")
_VARIABLE: Final = "_NETWEATHER_COMPLETE"
"""The environment variable by which a shell's script asks (Click's convention)."""
Completer = Callable[[str], list[tuple[str, str]]]
"""Values and their meanings for the beginning of a word; which of them begin so is checked later."""


def answer(program: Callable[[], click.Command]) -> int | None:
    """Prints the completions that a shell's script asks for. Returns the exit code; None when no script asks."""
    instruction = os.environ.get(_VARIABLE, "")
    if not instruction:
        return None
    from click.shell_completion import add_completion_class, shell_complete

    add_completion_class(_bash())
    return shell_complete(program(), {}, "netweather", _VARIABLE, instruction)


def script(program: click.Command, shell: str) -> str:
    """The script by which one of SHELLS completes words."""
    from click.shell_completion import get_completion_class

    known = get_completion_class(shell)
    assert known is not None
    return known(program, {}, "netweather", _VARIABLE).source()


def _bash() -> type[BashComplete]:
    """bash splits words at colons (COMP_WORDBREAKS): netns:db comes as three words, and only the last one is replaced."""
    from click.shell_completion import BashComplete

    class Bash(BashComplete):
        """Joins what bash split, and leaves out of each answer what bash keeps."""

        prefix = ""

        def get_completion_args(self) -> tuple[list[str], str]:
            typed = os.environ.get("COMP_WORDS", "").split()
            current = int(os.environ.get("COMP_CWORD", "0"))
            words, self.prefix = joined(typed[: current + 1] if current < len(typed) else [*typed, ""])
            return words[1:-1], words[-1]

        def format_completion(self, item: CompletionItem[Any]) -> str:
            return f"{item.type},{str(item.value).removeprefix(self.prefix)}"

    return Bash


def joined(words: list[str]) -> tuple[list[str], str]:
    """Words with what stood around a colon joined again, and the part of the last one that bash will keep.

    A `=` between an option and its value is a word to bash too; without it Click understands the same.
    """
    words = [word for word in words[:-1] if word != "="] + ["" if word == "=" else word for word in words[-1:]]
    made: list[str] = []
    for index, word in enumerate(words):
        if made and (word == ":" or (index and words[index - 1] == ":")):
            made[-1] += word
        else:
            made.append(word)
    last = made[-1] if made else ""
    split = len(words) > 1 and ":" in (words[-1], words[-2])
    return made, last[: last.rfind(":") + 1] if split else ""


def items(rows: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem[str]]:
    """Rows of (value, help) as the completions that begin so."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(value, help=text) for value, text in rows if value.startswith(incomplete)]


def for_click(complete: Completer | None) -> Callable[..., list[CompletionItem[str]]] | None:
    """A completer as Click calls it, with a context and a parameter."""
    return complete and (lambda ctx, param, incomplete: items(complete(incomplete), incomplete))


def targets(incomplete: str) -> list[tuple[str, str]]:
    """What can be named now: schemes first, their targets as soon as one is typed."""
    from netweather.targets.references import available

    if ":" not in incomplete:
        schemes = [(each.name if each.name == "host" else f"{each.name}:", each.form) for each in available()]
        return [row for row in schemes if row[0].startswith(incomplete)] if not incomplete else [*schemes, *_listed("")]
    return _listed(incomplete.partition(":")[0])


def _listed(scheme: str) -> list[tuple[str, str]]:
    from netweather.targets.references import available
    from netweather.targets.resolving import runtime

    rows: list[tuple[str, str]] = []
    for each in available():
        if scheme in ("", each.name) or (scheme == "compose" and each.name == "docker"):
            try:
                found = runtime(each.name).listings()
            except (NetweatherError, OSError):
                continue
            rows += [(listing.reference, listing.state) for listing in found]
            rows += [(f"compose:{listing.compose}", "service") for listing in found if listing.compose]
    return list(dict(rows).items())


def names(incomplete: str) -> list[tuple[str, str]]:
    """The names of conditions in force, as the journals have them; for root only."""
    from netweather.engine.entries import entry_or_remains
    from netweather.journal import Journal
    from netweather.settings import Settings

    try:
        journal = Journal(Settings.load().state)
        entries = [entry_or_remains(journal, identity) for identity in journal.identities()]
    except (NetweatherError, OSError):
        return []
    return [(c.condition.name, entry.target.reference) for entry in entries for c in entry.conditions]


def profiles(incomplete: str) -> list[tuple[str, str]]:
    from netweather.conditions.embedding import own_profiles
    from netweather.conditions.profiles import builtin_profiles
    from netweather.settings import Settings

    try:
        own = own_profiles(Settings.load().profiles)
    except NetweatherError:
        own = {}
    known = {**own, **{name: each for name, each in builtin_profiles().items() if name not in own}}
    return [(word, each.title) for each in known.values() for word in (each.name, *each.aliases)]


def counted(incomplete: str) -> list[tuple[str, str]]:
    """What `stats --only` takes: words with commas between; the last one is completed."""
    from netweather.engine.views.socket_stats import GROUPS
    from netweather.kernel.tracing.trace_layout import CALLS

    before = incomplete.rpartition(",")[0]
    given = before.split(",")
    return [(f"{before},{word}" if before else word, "") for word in (*GROUPS, *CALLS) if word not in given]


def states(incomplete: str) -> list[tuple[str, str]]:
    """The states of connections."""
    from netweather.kernel.sockets.sockdiag import STATES

    return [(state, "") for state in (*STATES[1:], "unconnected")]


def fixed(*words: str) -> Completer:
    """Completes one of these words."""
    return lambda incomplete: [(word, "") for word in words]


def of_flag(flag: Any) -> Completer | None:
    """The completion of a flag's value; None for what only the user knows."""
    if flag.choices:
        return fixed(*flag.choices)
    special: dict[str, Completer] = {
        "profile": profiles,
        "to": targets,
        "name": names,
        "distribution": fixed("uniform", "normal", "pareto", "paretonormal"),
        "protocol": fixed("tcp", "udp", "icmp", "sctp"),
        "loss-model": fixed("gemodel:", "state:", "burst:", "every:", "list:"),
        "for": fixed("1m", "10m", "1h", "forever"),
    }
    return special.get(flag.name)
