"""Completion of values for bash, zsh and fish: targets, profiles, names in force, choices. Cheap, and never an error."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, Final

from netweather.errors import NetweatherError

COMPLETING: Final = "_NETWEATHER_COMPLETE"
"""The environment variable by which the shell's script asks (Typer's convention)."""
Completer = Callable[[str], list[tuple[str, str]]]


def prepare() -> None:
    """Has bash's completion understand words with colons, when bash asks; nothing otherwise."""
    if os.environ.get(COMPLETING, "").endswith("bash"):
        _understand_colons()


def _understand_colons() -> None:
    """bash splits words at colons (COMP_WORDBREAKS): netns:db comes as three words, and only the last one is replaced."""
    import typer._completion_classes
    import typer.completion

    classes: Any = typer._completion_classes  # what it has imported isn't exported by it
    usual_init = classes.completion_init

    class Bash(typer._completion_classes.BashComplete):
        """Joins what bash split, and leaves out of each answer what bash keeps."""

        prefix = ""

        def get_completion_args(self) -> tuple[list[str], str]:
            typed = os.environ.get("COMP_WORDS", "").split()
            current = int(os.environ.get("COMP_CWORD", "0"))
            words, self.prefix = joined(typed[: current + 1] if current < len(typed) else [*typed, ""])
            return words[1:-1], words[-1]

        def format_completion(self, item: Any) -> str:
            return str(item.value).removeprefix(self.prefix)

    def init() -> None:
        usual_init()
        classes.add_completion_class(Bash, "bash")

    classes.completion_init = init
    completion: Any = typer.completion
    completion.completion_init = init


def joined(words: list[str]) -> tuple[list[str], str]:
    """Words with what stood around a colon joined again, and the part of the last one that bash will keep.

    A `=` between an option and its value is a word to bash too; without it Typer understands the same.
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


def items(rows: Iterable[tuple[str, str]], incomplete: str) -> list[Any]:
    """Rows of (value, help) as the completions that begin so."""
    import typer.core

    core: Any = typer.core  # it imports the class from where each version of Typer has it
    return [core.CompletionItem(value, help=text) for value, text in rows if value.startswith(incomplete)]


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
    from netweather.engine.stats import GROUPS
    from netweather.kernel.tracelayout import CALLS

    before = incomplete.rpartition(",")[0]
    given = before.split(",")
    return [(f"{before},{word}" if before else word, "") for word in (*GROUPS, *CALLS) if word not in given]


def states(incomplete: str) -> list[tuple[str, str]]:
    """The states of connections."""
    from netweather.kernel.sockdiag import STATES

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
