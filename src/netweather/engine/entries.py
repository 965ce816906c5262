"""A target's journal entry: how one comes about, with a condition added, its interfaces found and its peers resolved."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from netweather.conditions import FOREVER, Match, NetworkCondition, Rule
from netweather.engine import engine_choice
from netweather.errors import NetweatherError
from netweather.journal import Entry, Journal
from netweather.kernel import namespaces
from netweather.kernel.datapath.spec import MAX_INTERFACES, NEVER, Datapath, Interface, Observed, RulePrefix
from netweather.kernel.namespace_search import open_namespace
from netweather.planning.rules import Allocation, InForce, PlainRule, flatten
from netweather.planning.vectors import normal_prefix
from netweather.results import TargetRef
from netweather.targets import Target, resolve_peers


def whose(target: Target) -> TargetRef:
    """What the journal keeps of a target."""
    return TargetRef(target.reference, target.name, target.dev, target.ino, target.pid, target.path, target.runtime)


def unknown(identity: str) -> TargetRef:
    """What is known of a target whose journal is lost."""
    dev, _, ino = identity.partition("-")
    return TargetRef("", f"namespace {ino}", int(dev), int(ino), None, None, "netns")


def entry_or_remains(journal: Journal, identity: str) -> Entry:
    """The journal's entry; where there is none, or one that can't be read, an entry without conditions."""
    return readable(journal, identity) or Entry(unknown(identity))


def unreadable(identity: str) -> Entry:
    """Stands for a target of which it is not known what is in force: its journal can't be read."""
    return Entry(unknown(identity), [InForce(NetworkCondition(name="unreadable"), {}, NEVER, 0, ())])


def readable(journal: Journal, identity: str) -> Entry | None:
    """The journal's entry, without conditions where there is no journal; None where there is one that can't be read."""
    try:
        return journal.read(identity) or Entry(unknown(identity))
    except NetweatherError:
        return None


def is_lost(journal: Journal, identity: str) -> bool:
    """Whether a target's directory is there, and no journal in it that could be read."""
    try:
        return journal.read(identity) is None and os.path.lexists(journal.directory(identity))
    except NetweatherError:
        return True


def opened(whose: TargetRef) -> contextlib.AbstractContextManager[int | None]:
    """A descriptor of the target's namespace; None when it is gone."""
    hints = [whose.path] if whose.path else []
    hints += [f"/proc/{whose.pid}/ns/net"] if whose.pid else []
    return open_namespace(whose.dev, whose.ino, tuple(hints), whose.cookie)


def added(
    before: Entry,
    condition: NetworkCondition,
    rules: tuple[PlainRule, ...],
    peers: dict[str, tuple[RulePrefix, ...]],
    observed: Observed,
    reference: str = "",
    draining: dict[int, int] | None = None,
) -> Entry:
    """The entry with this condition in it, in place of the one of the same name, and without those whose lease is over.

    rules, reference: see InForce.
    Raises NetweatherError(code="other-owner") for another's name, or what `_refuse_missing` raises.
    """
    now = namespaces.boot_ns()
    in_force = [c for c in before.conditions if c.deadline > now]
    for other in in_force:
        if other.condition.name == condition.name and other.condition.owner != condition.owner:
            raise NetweatherError(
                "other-owner",
                f"the condition {condition.name!r} of {before.target.name} belongs to {other.condition.owner or 'nobody'}",
                f"the owner of this request is {condition.owner or 'empty'}",
                "choose another --name, or ask its owner to clear it",
            )
    old = next((c for c in before.conditions if c.condition.name == condition.name), None)
    deadline = NEVER if condition.lease is FOREVER else now + condition.lease.ns
    active = InForce(condition, peers, deadline, old.created if old else now, rules, reference)
    others = [c for c in in_force if c.condition.name != condition.name]
    # Without a condition the lines that are there are nobody's: an agent lets them stand for a while, and they serve anew.
    slots = before.slots if before.conditions else Allocation(interfaces=before.slots.interfaces)
    entry = Entry(before.target, [*others, active], slots, before.interfaces, observed.hook, draining=draining or {})
    entry.interfaces = interfaces(entry, observed)
    entry.departed = ()
    _refuse_missing(entry, condition, observed)
    return entry


def datapath(entry: Entry) -> tuple[Datapath, Allocation]:
    """What the kernel has to hold for an entry, and the slots that it takes. Raises NetweatherError for more than there is room for."""
    owners = sorted({c.condition.owner for c in entry.conditions if c.condition.owner})
    names = ", ".join(c.condition.name for c in entry.conditions)
    alias = f"netweather: {names} {'of ' + ', '.join(owners) if owners else ''}".strip()[:250]
    return flatten(entry.conditions, entry.interfaces, engine_choice.look, entry.slots, alias, entry.draining)


def of_another(entry: Entry, cookie: int) -> bool:
    """Whether the entry is of a namespace that is gone, and had the inode that the one of this cookie has now; 0: it is not known."""
    return bool(entry.target.cookie and cookie) and entry.target.cookie != cookie


def begun_by(journal: Journal, reference: str, but: Collection[str] = ()) -> Iterator[tuple[str, InForce]]:
    """The conditions that were set by this reference, each with its target's identity, whatever the reference names now.

    A container can be renamed, and another can get its name; a namespace's name can be removed while processes live in it.
    but: identities to pass over. Journals that can't be read are passed over, too.
    """
    for identity in journal.identities():
        with contextlib.suppress(NetweatherError):
            entry = None if identity in but else journal.read(identity)
            yield from ((identity, each) for each in (entry.conditions if entry else ()) if each.reference == reference)


def in_force(entry: Entry, observed: Observed) -> list[InForce]:
    """Its conditions, but for those that were ended where the journal could not be written: the kernel has no lease of them."""
    if entry.state != "made" or not observed.rules:
        return entry.conditions
    ended = {name for name, slot in entry.slots.leases.items() if slot < len(observed.leases) and not observed.leases[slot]}
    return [each for each in entry.conditions if each.condition.name not in ended]


def rules_of(entry: Entry, name: str) -> tuple[Rule, ...] | None:
    """The rules of the condition of this name, or None."""
    return next((c.condition.rules for c in entry.conditions if c.condition.name == name), None)


def names_of(conditions: Iterable[InForce]) -> tuple[str, ...]:
    return tuple(each.condition.name for each in conditions)


def chosen(entry: Entry | None, name: str | None, owner: str | None) -> list[InForce]:
    """The conditions of this name and owner, or all (None). Raises NetweatherError(code="no-such-condition") for a name."""
    present = entry.conditions if entry else []
    if name is not None and name not in names_of(present):
        raise NetweatherError(
            "no-such-condition",
            f"no condition {name!r} is in force",
            f"in force: {', '.join(names_of(present)) or 'none'}",
            "`netweather show` lists them",
        )
    return [c for c in present if name in (None, c.condition.name) and owner in (None, c.condition.owner)]


def interfaces(entry: Entry, observed: Observed) -> tuple[Interface, ...]:
    """The interfaces that rules can mean, with the slots that they have or get; those that have left are noted in the entry.

    Of more than there is room for, the last ones are left out.
    """
    _follow_renames(entry, observed)
    present = meant(entry, observed)
    names = {name for name, *_ in present}
    entry.departed = tuple(sorted({*entry.departed, *(i.name for i in entry.interfaces)} - _nameable(observed).keys()))
    kept = {name: slot for name, slot in entry.slots.interfaces.items() if name in names}
    free = iter(n for n in range(MAX_INTERFACES) if n not in kept.values())
    found = []
    for name, ifindex, upper in present:
        slot = kept[name] if name in kept else next(free, None)
        if slot is not None:
            found.append(Interface(name, ifindex, slot, upper, name in observed.layer3))
    return tuple(found)


def _nameable(observed: Observed) -> dict[str, int]:
    """The interfaces that a rule may name, with their indexes."""
    return dict(observed.interfaces) | {each.name: each.ifindex for each in observed.left_out if each.fit}


def meant(entry: Entry, observed: Observed) -> list[tuple[str, int, bool]]:
    """The interfaces that are there and that some rule means: name, index, and whether it is one that must be named."""
    named = {name for c in entry.conditions for r in c.condition.rules for name in r.match.interfaces}
    everything = any(not r.match.interfaces for c in entry.conditions for r in c.condition.rules)
    present = [(n, i, False) for n, i in observed.interfaces if everything or n in named]
    return present + [(each.name, each.ifindex, True) for each in observed.left_out if each.fit and each.name in named]


def _refuse_missing(entry: Entry, condition: NetworkCondition, observed: Observed) -> None:
    """Raises NetweatherError no-interfaces, no-interface or too-many-interfaces when a new condition can't be put in force."""
    names = _nameable(observed)
    if not names:
        raise NetweatherError(
            "no-interfaces",
            f"{entry.target.name} has no interface that can carry a condition",
            "; ".join(f"{each.name}: {each.why}" for each in observed.left_out) or "it has only loopback",
            "connect it to a network first",
        )
    matches = [*(rule.match for rule in condition.rules), *condition.exclude]
    for name in sorted({name for match in matches for name in match.interfaces} - names.keys()):
        raise NetweatherError(
            "no-interface",
            f"the target has no interface {name!r} that can carry a condition",
            f"it has: {', '.join(sorted(names))}; use the device below a VLAN or macvlan, and the members of a bridge or bond",
            "name one of them with --interface (and a VLAN with --vlan), or none to affect all",
        )
    if len(entry.interfaces) == MAX_INTERFACES < len(observed.interfaces) and not all(match.interfaces for match in matches):
        raise NetweatherError(
            "too-many-interfaces",
            f"{entry.target.name} has {len(observed.interfaces)} interfaces",
            f"the maximum is {MAX_INTERFACES}",
            "name those you mean with --interface",
        )


def _follow_renames(entry: Entry, observed: Observed) -> None:
    """An interface that only has another name now keeps all that it has; rules that name it mean it still."""
    now = {ifindex: name for name, ifindex in _nameable(observed).items() if name in observed.attached}
    new = {i.name: now[i.ifindex] for i in entry.interfaces if now.get(i.ifindex, i.name) != i.name}
    if not new:
        return
    entry.slots.interfaces = {new.get(name, name): slot for name, slot in entry.slots.interfaces.items()}
    entry.slots.lines = {
        line._replace(interface=new.get(line.interface, line.interface)): number for line, number in entry.slots.lines.items()
    }
    entry.interfaces = tuple(replace(i, name=new.get(i.name, i.name)) for i in entry.interfaces)
    entry.conditions = [_renamed(each, new) for each in entry.conditions]


def _renamed(active: InForce, new: dict[str, str]) -> InForce:
    def match(one: Match) -> Match:
        return replace(one, interfaces=tuple(new.get(name, name) for name in one.interfaces))

    def rule(one: Rule) -> Rule:
        return replace(one, match=match(one.match))

    condition = active.condition
    return replace(
        active,
        condition=replace(condition, rules=tuple(map(rule, condition.rules)), exclude=tuple(map(match, condition.exclude))),
        rules=tuple(replace(plain, rule=rule(plain.rule)) for plain in active.rules),
    )


def resolved(condition: NetworkCondition, target: Target) -> dict[str, tuple[RulePrefix, ...]]:
    """The prefixes of every peer that a condition names, by its word; host names as the target's own resolver knows them.

    Raises what `targets.resolve_peers` raises.
    """
    matches = [rule.match for rule in condition.rules] + list(condition.exclude)
    words = sorted({word for match in matches for word in match.to})
    return {word: tuple(normal_prefix(str(p.prefix)) for p in resolve_peers(word, target)) for word in words}
