"""`netweather show`: what is in force, what it met, and how long it will last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from netweather.cli import command_factory
from netweather.cli.full_ids import connected
from netweather.cli.options import direct_option, json_option, targets_argument
from netweather.cli.output import columns, drawn, say, say_json, table
from netweather.cli.repeating import again_and_again
from netweather.cli.wording import lived_words
from netweather.settings import Settings

if TYPE_CHECKING:
    from rich.text import Text

    from netweather.results import ConditionStatus, RuleCounters
    from netweather.service import Service

_EXAMPLES = """
netweather show
netweather show docker:shop-api --watch
# the time when each condition ends
netweather show --json | jq -r '.[].status.expiresAt'
"""
_WIDE: Final = 150
_LAYOUTS: Final = {
    True: (("Target",), ("Name",), ("Condition",), ("Match",), ("In force",), ("Packets",), ("Dropped",), ("Left",), ("Owner",)),
    False: (("Target", "Name"), ("Condition", "Match"), ("In force", "Left"), ("Packets", "Dropped"), ("Owner",)),
}
"""The columns of a wide terminal, and of one of 80 characters, where two share one."""


@command_factory.command("show", examples=_EXAMPLES)
@targets_argument
@command_factory.option("--watch", is_flag=True, help="refresh every second until Ctrl-C")
@direct_option
@json_option
def command(targets: tuple[str, ...], *, watch: bool, direct: bool, as_json: bool) -> None:
    """Shows the conditions in force on TARGETs, or on this whole machine.

    For each rule it shows the packets that matched and the packets that were dropped, by cause, since the condition was set.
    Packets that Netweather lost although no condition requires it are red. With TARGETs it also summarises the TCP
    connections that each rule matches: round-trip time and delivery rate, before the condition and now, and the segments
    retransmitted since.
    """
    service = connected(Settings.load(), direct=direct)
    if watch:
        _watch(service, targets, as_json=as_json)
        return
    shown = service.show(targets, lived=bool(targets))
    if as_json:
        say_json(_documents(shown))
    elif shown:
        say(drawn(shown_table(shown)))
        _say_engines(shown)
        for each in shown:
            for line in lived_words(each.condition.name, each.lived or ()):
                say(f"{_target(each)}, {line}")
        _say_problems(shown)
    else:
        say(_nothing(targets))


def _nothing(targets: Sequence[str]) -> str:
    return f"no conditions are in force{' on ' + ', '.join(targets) if targets else ''}"


def _documents(shown: list[ConditionStatus]) -> list[dict[str, Any]]:
    from netweather.wire.condition_documents import SHOWN

    return [SHOWN.write(each) for each in shown]


def _watch(service: Service, targets: Sequence[str], *, as_json: bool) -> None:
    """As JSON: a list on each line."""

    def tell(shown: list[ConditionStatus]) -> None:
        if as_json:
            say_json(_documents(shown), compact=True)
        else:
            say(drawn(_live(shown, targets)))

    again_and_again(lambda: service.show(targets), tell, None if as_json else lambda shown: _live(shown, targets))


def _live(shown: list[ConditionStatus], targets: Sequence[str]) -> Any:
    return shown_table(shown) if shown else _nothing(targets)


def shown_table(shown: list[ConditionStatus]) -> Any:
    """The table: a row for each rule, the condition's own columns on its first."""
    import sys

    from rich.text import Text

    wide = columns(sys.stdout) >= _WIDE
    layout = _LAYOUTS[wide]
    rows = []
    for each in shown:
        for index in range(max(1, len(each.condition.rules))):
            cells = _cells(each, index, wide=wide)
            row = []
            for titles in layout:
                parts = [cells[title] for title in titles if cells[title]]
                row.append(Text("\n").join(parts))
            rows.append(row)
    return table([" / ".join(titles) for titles in layout], rows)


def _cells(shown: ConditionStatus, index: int, *, wide: bool) -> dict[str, Text]:
    """The cells of one rule's row, by title."""
    from rich.text import Text

    from netweather.cli.wording import condition_words, count, match_words, meanings, remaining

    blank = dict.fromkeys(("Target", "Name", "In force", "Left", "Owner"), Text())
    if index == 0:
        state = Text("yes", "green") if shown.in_force else Text("NO", "bold red")
        if shown.engines:
            state.append(f" ({shown.engine})", "dim")
        if shown.unwanted_drops:
            state.append(f"\n{count(shown.unwanted_drops)} lost by us", "red")
        blank = {
            "Target": Text(_target(shown)),
            "Name": Text(shown.condition.name, "bold"),
            "In force": state,
            "Left": Text(remaining(shown.remaining_ns) + ("" if wide or shown.remaining_ns is None else " left")),
            "Owner": Text(shown.condition.owner),
        }
    if index >= len(shown.condition.rules):
        return {**blank, "Condition": Text("no rules"), "Match": Text(), "Packets": Text(), "Dropped": Text()}
    rule, counters = shown.condition.rules[index], shown.rules[index]
    now = {word: shown.peers[word] for word in rule.match.to if word in shown.peers}
    return {
        **blank,
        "Condition": Text(condition_words(rule.condition)),
        "Match": Text("\n".join([match_words(rule.match), *meanings(now)]), "dim"),
        "Packets": Text(count(counters.packets)),
        "Dropped": _dropped(counters, unknown="netem" in shown.engine, wide=wide),
    }


def _dropped(counters: RuleCounters, *, unknown: bool, wide: bool) -> Text:
    from rich.text import Text

    from netweather.cli.wording import count, outcome_words

    found = Text(count(counters.dropped) + ("" if wide else " dropped"))
    words = outcome_words(counters, unknown=unknown)
    return (
        found.append("".join(f"\n{each}" for each in words), "dim") if words != [f"{count(counters.dropped)} blocked"] else found
    )


def _target(shown: ConditionStatus) -> str:
    """The user's words, and the name behind them when it is another (docker:label=…)."""
    reference, name = shown.target.reference, shown.target.name
    return reference if name in reference else f"{reference} ({name})"


def _say_engines(shown: list[ConditionStatus]) -> None:
    """Under the table: why an engine makes the lines, when that wasn't the user's choice."""
    import sys

    from netweather.cli.output import styled, wrapped

    reasons: dict[str, list[str]] = {}
    for each in shown:
        for text in each.engines:
            if ": " in text:
                reasons.setdefault(text, []).append(f"{_target(each)}, {each.condition.name!r}")
    for text, names in reasons.items():
        whose = "" if len(names) == len(shown) else f"{'; '.join(names)}: "
        say(styled(wrapped(f"{whose}{text}", "", "  ", sys.stdout), "dim", sys.stdout))


def _say_problems(shown: list[ConditionStatus]) -> None:
    """Under the table, in full: why something is not in force, what else is wrong, and what is to be known."""
    import sys

    from netweather.cli.output import styled

    for each in shown:
        for problem in each.problems:
            style = "yellow" if each.in_force else "red"
            say(f"{styled('problem:', style, sys.stdout)} {_target(each)}, {each.condition.name!r}: {problem}")
        if each.unwanted_drops:
            text = f"{each.unwanted_drops} packets were lost by Netweather's own devices, not by the condition"
            say(f"{styled('problem:', 'red', sys.stdout)} {_target(each)}: {text}")
        if each.queue_drops:
            text = f"{each.queue_drops} packets were dropped by the full queue of the rate or the limit"
            say(f"{styled('note:', 'yellow', sys.stdout)} {_target(each)}, {each.condition.name!r}: {text}")
    if any("netem" in each.engine and None in (rule.causes | rule.effects).values() for each in shown for rule in each.rules):
        say("note: '?' is a count that netem does not report; --engine pump reports all")
    for note in dict.fromkeys(f"{_target(each)}: {note}" for each in shown for note in each.notes):
        say(f"note: {note}")
    if not all(each.in_force for each in shown):
        say("Run `netweather recover`, then set the condition again.")
