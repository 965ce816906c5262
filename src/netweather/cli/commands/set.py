"""`netweather set`: flags or a file become network conditions, and those are put in force on their targets."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from netweather.cli import command_factory, signals
from netweather.cli.full_ids import Completed
from netweather.cli.options import PANELS, direct_option, given, json_option, targets_argument, with_flags
from netweather.cli.output import remark, say, say_json, wrapped
from netweather.conditions import NetworkCondition, Rule
from netweather.conditions.language.flags import FLAGS, FlagValue
from netweather.connecting import connect
from netweather.errors import UsageError
from netweather.settings import Settings

if TYPE_CHECKING:
    from netweather.results import SetOutcome

_EXAMPLES = """
# add 200 ms to each round trip and lose 1 % of packets, for 10 minutes
netweather set docker:shop-api --rtt 200ms --loss 1%
# only traffic to and from the database's port, for one hour
netweather set docker:shop-api --to docker:shop-db --port 5432 --delay 50ms \\
  --for 1h --name slow-database
# block one address: silently (drop), or with an error (reject)
netweather set netns:db --to 192.0.2.7 --block drop
netweather set netns:db --to 192.0.2.7 --block reject
# print what would be done; read a file; clear at Ctrl-C
netweather set compose:shop/web --rate 1mbit --dry-run
netweather set -f conditions.yaml
netweather set pid:4711 --delay 1s --wait
"""


@command_factory.command("set", examples=_EXAMPLES)
@targets_argument
@command_factory.option("-f", "file", metavar="FILE", help="read one or more conditions from YAML or JSON; - is stdin")
@command_factory.option(
    "--owner", metavar="NAME", panel=PANELS["common"], help="owner of the condition; other owners may not change it"
)
@command_factory.option("--wait", is_flag=True, help="wait until the lease ends or Ctrl-C, then clear")
@command_factory.option("--verify", is_flag=True, help="measure the effect; if it is wrong, undo the change (exit 1)")
@command_factory.option("--dry-run", is_flag=True, help="only print what would be done")
@command_factory.option("--yes", is_flag=True, help="confirm that you mean the host's own network (TARGET host)")
@direct_option
@json_option
@with_flags("condition", "match", "common")
def command(
    targets: tuple[str, ...],
    *,
    file: str | None,
    owner: str | None,
    wait: bool,
    verify: bool,
    dry_run: bool,
    yes: bool,
    direct: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Degrades the network of TARGETs. Returns when the conditions are in force.

    Options use the terms of tc-netem. With several targets or conditions, either all are set or none. Setting the same NAME
    again replaces that condition. A condition ends after 10 minutes unless --for says otherwise.
    """
    settings = Settings.load()
    conditions = _conditions(targets, file, owner, given(flags), settings)
    service = connect(settings, direct=direct)
    if file is None or targets:
        conditions = _typed(Completed(service), conditions, () if file is None else targets)
    put = partial(service.set, conditions, dry_run=dry_run, host=yes)
    if verify and not dry_run:
        put = partial(_proved, put, quiet=as_json)
    show = partial(tell, as_json=as_json)
    if wait and not dry_run:
        from netweather.cli.foreground import set_and_wait

        done = set_and_wait(service, conditions, put, show)
    else:
        done = put()
        signals.done()
        show(done)
    return _exit_code(done)


# from words to conditions


def _conditions(
    targets: tuple[str, ...], file: str | None, owner: str | None, flags: dict[str, FlagValue], settings: Settings
) -> list[NetworkCondition]:
    """What is asked for. Raises UsageError."""
    if file is not None:
        return [_named(each, targets, owner) for each in _from_file(file, flags)]
    _check_targets(targets)
    if not any(flag.group == "condition" and flag.name in flags for flag in FLAGS):
        why = "no option says how to degrade the network"
        raise UsageError(
            "no-condition", "no condition is given", why, "add one, such as --delay 100ms, --loss 1% or --block drop"
        )
    from netweather.conditions.embedding import with_profile_files
    from netweather.conditions.language.flags import network_condition_from_flags

    whole = {"for": str(settings.lease), **flags}
    return [with_profile_files(network_condition_from_flags(whole, targets, owner or settings.owner))]


def _check_targets(targets: tuple[str, ...]) -> None:
    """Raises UsageError missing-target, stray-value; the others are told when targets are resolved."""
    import re

    if not targets:
        raise UsageError("missing-target", "no target is given", "", "name one: docker:NAME, netns:NAME … (netweather targets)")
    for word in targets:
        if re.fullmatch(r"[0-9.]+(%|ns|us|ms|s|m|h|[kmgt]?bit)", word):
            why = "it is in the place of a TARGET; tc's second value of a delay is --jitter, and that of a loss is --loss-correlation"
            raise UsageError(
                "stray-value", f"{word!r} has no option before it", why, f"write the option before it: --jitter {word}"
            )


_WITH_FILE = frozenset({"for", "engine", "reason"})
"""Flags that change what a file says; the others would have to say which of its rules they mean."""


def _from_file(file: str, flags: dict[str, FlagValue]) -> list[NetworkCondition]:
    from netweather.cli.files import read_conditions
    from netweather.conditions.language.codec import read
    from netweather.conditions.model import EngineName, Lease

    for name in flags:
        if name not in _WITH_FILE:
            why = "the file already contains the whole condition"
            raise UsageError("conflicting-flags", f"-f and --{name} are given", why, "write it in the file, or leave -f out")
    changes: dict[str, Any] = {}
    if "for" in flags:
        changes["lease"] = read(Lease, flags["for"], "--for")
    if "engine" in flags:
        changes["engine"] = read(EngineName, flags["engine"], "--engine")
    if "reason" in flags:
        changes["reason"] = str(flags["reason"])
    from netweather.conditions import validate

    return [validate(replace(each, **changes)) for each in read_conditions(file)]


def _named(condition: NetworkCondition, targets: tuple[str, ...], owner: str | None) -> NetworkCondition:
    """With the command line's targets and owner in place of the file's."""
    named = replace(condition, targets=targets or condition.targets, owner=owner or condition.owner)
    if not named.targets:
        what = f"the condition {named.name!r} names no target"
        raise UsageError("missing-target", what, "neither the file (spec.targets) nor the command line names one", "name one")
    return named


def _typed(completed: Completed, conditions: list[NetworkCondition], targets: Sequence[str]) -> list[NetworkCondition]:
    """With whole ids where the beginnings of some were typed: everywhere, or only in these targets, in place of a file's."""
    if not targets:
        return [completed.condition(each) for each in conditions]
    whole = tuple(completed.references(targets))
    return [replace(each, targets=whole) for each in conditions]


# setting, and saying what was set


def _proved(put: Callable[..., list[SetOutcome]], *, quiet: bool) -> list[SetOutcome]:
    """The same, with its evidence, and a bar meanwhile."""
    from netweather.cli.commands.verify import bar

    with bar(quiet=quiet) as progress:
        return put(verify=True, progress=progress)


def _exit_code(done: Iterable[SetOutcome]) -> int:
    """0 also when nothing was to be proved; 3 when it can't be told, and then it stays in force."""
    evidence = [proof for each in done for proof in each.evidence]
    if not evidence:
        return 0
    from netweather.cli.commands.verify import whole

    return whole(evidence).exit_code


def tell(done: list[SetOutcome], *, as_json: bool) -> None:
    """What was set, or would be; with its evidence, as `verify` prints it."""
    now = datetime.now().astimezone()
    if as_json:
        from netweather.wire.condition_documents import DONE_LIST, one_or_list

        say_json(one_or_list(DONE_LIST, done))
    for each in done:
        if not as_json:
            say("\n".join(_told(each, now)))
        for note in each.notes:
            remark("note", note)
    for proof in [proof for each in done for proof in each.evidence if not as_json]:
        from netweather.cli.commands.verify import tell as tell_proof

        tell_proof(proof)


def _told(done: SetOutcome, now: datetime) -> list[str]:
    """What was set, on what, until when, and what it does to a round trip."""
    from netweather.cli.wording import meanings, queue_waits, round_trips, until
    from netweather.conditions.profiles import expand

    condition = done.condition
    where = ", ".join(f"{r.target.reference} ({', '.join(r.interfaces)})" for r in done.results)
    renewed = not any(result.changed for result in done.results)
    verb = "would set" if done.dry_run else "renewed" if renewed else "set"
    lines = [f"{verb} {condition.name!r} on {where} {until(condition.lease, now)}"]
    lines += [line for rule in condition.rules for line in _rule_lines(rule)]
    lines += [f"  {sentence}" for sentence in [*round_trips(expand(condition).rules), *queue_waits(expand(condition).rules)]]
    lines += [wrapped(text, "  ", "    ", sys.stdout) for text in dict.fromkeys(e for r in done.results for e in r.engines)]
    resolved = {word: prefixes for result in done.results for word, prefixes in result.peers.items()}
    if named := meanings(resolved):
        lines.append(f"  resolved once: {'; '.join(named)}")
    if done.dry_run:
        lines += [line for result in done.results for line in _plan(result)]
    return lines


def _rule_lines(rule: Rule) -> list[str]:
    """A rule in a line; with a profile, what that says in each direction."""
    from netweather.cli.wording import condition_words, match_words
    from netweather.conditions.profiles import expand_rule

    lines = [f"  {condition_words(rule.condition)}: {match_words(rule.match)}"]
    if rule.condition.profile:
        lines += [f"    {part.match.direction}: {condition_words(part.condition)}" for part in expand_rule(rule)]
    return lines


def _plan(result: Any) -> list[str]:
    lines = [wrapped(text, f"   {number:>2}. ", " " * 7, sys.stdout) for number, text in enumerate(result.plan or (), 1)]
    return [f"  plan for {result.target.reference}:", *(lines or ["    nothing: it is so already"])]
