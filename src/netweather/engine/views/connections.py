"""The connections of a target: how each fares, whose it is, which rule it meets; and the end of those that are chosen.

Read from the kernel's sock_diag, in the target's namespace; nothing is in the way of any packet. Not here: what people see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from netweather.conditions import Connection, Match, NetworkCondition, Rule
from netweather.engine import engine_choice, entries
from netweather.engine.core import Engine
from netweather.engine.safety import own_connection
from netweather.engine.views.before_after import Remembered, experienced
from netweather.errors import NetweatherError, UsageError, unknown
from netweather.journal import Entry
from netweather.kernel import namespaces
from netweather.kernel.datapath.spec import NEVER, Interface, RuleId
from netweather.kernel.namespaces import Namespace
from netweather.kernel.netlink import links
from netweather.kernel.sockets import sockdiag
from netweather.kernel.sockets.sockdiag import LISTENING, PROTOCOLS, STATES, Socket
from netweather.kernel.sockets.socket_owners import Holder, holders
from netweather.planning.rule_lookup import Matcher
from netweather.planning.rules import Allocation, InForce, PlainRule, flatten
from netweather.planning.vectors import Packet
from netweather.results import Before, ConditionStatus, Experienced, TargetRef
from netweather.targets import Target

_NAMES: Final = {number: name for name, number in PROTOCOLS.items()}
_ANY: Final = Interface("any", 1, 0)
_UNCONNECTED: Final = 7


class SocketInfo(NamedTuple):
    """One socket of a target. egress, ingress: the rules that its packets meet, None for none.

    before: how it fared when the condition that it meets was set, None for one that is younger.
    """

    socket: Socket
    holder: Holder | None
    egress: RuleId | None
    ingress: RuleId | None
    before: Before | None = None

    @property
    def protocol(self) -> str:
        return _NAMES[self.socket.protocol]

    @property
    def state(self) -> str:
        """In the kernel's word, in kebab-case; of UDP `unconnected` in place of closed."""
        one = self.socket
        return "unconnected" if one.protocol == sockdiag.UDP and one.state == _UNCONNECTED else STATES[one.state]

    @property
    def connection(self) -> str:
        """As `--connection` takes it, the target's own end first."""
        ends = ((self.socket.local, self.socket.local_port), (self.socket.remote, self.socket.remote_port))
        return "-".join(f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address, port in ends)


@dataclass(frozen=True)
class SocketFilter:
    """Chosen connections: those that meet a match and no exclusion, are in one of these states, and meet a rule of this condition.

    listening: also sockets that nobody is connected to. Raises UsageError unknown-state.
    """

    match: Match = field(default_factory=Match)
    exclude: tuple[Match, ...] = ()
    states: tuple[str, ...] = ()
    condition: str | None = None
    listening: bool = False

    def __post_init__(self) -> None:
        for state in self.states:
            if state not in (known := (*STATES[1:], "unconnected")):
                raise unknown("unknown-state", state[:60], known)

    @property
    def everything(self) -> bool:
        return self == SocketFilter(listening=self.listening)


@dataclass(frozen=True)
class TargetSockets:
    """The connections of one target."""

    target: TargetRef
    connections: tuple[SocketInfo, ...]


def connections(engine: Engine, target: Target, which: SocketFilter | None = None) -> TargetSockets:
    """A target's connections, in the kernel's order. Raises NetweatherError, OSError."""
    which = which or SocketFilter()
    with Namespace(target.netns_fd) as namespace:
        found = namespace.run(lambda: list(_sockets(which)))
        met = _rules_met(engine, target.identity, namespace)
    accepts = _accepting(which, target)
    chosen = []
    for one in found:
        egress, ingress = met(one)
        if accepts(one) and which.condition in (None, egress and egress.condition, ingress and ingress.condition):
            chosen.append((one, egress, ingress))
    whose = holders({one.inode for one, _, _ in chosen}, target.ino)
    before = Remembered(engine.journal.directory(target.identity))
    made = (SocketInfo(one, whose.get(one.inode), out, back, before.of(one, out or back)) for one, out, back in chosen)
    return TargetSockets(entries.whose(target), tuple(live for live in made if not which.states or live.state in which.states))


def reset(engine: Engine, target: Target, which: SocketFilter, environment: Iterable[tuple[str, str]] = ()) -> TargetSockets:
    """Ends connections as a network does that forgets them: either end gets an error. Returns those that were ended.

    environment: the caller's, whose own SSH session is spared. Raises NetweatherError nothing-chosen, no-such-connection,
    cannot-reset.
    """
    if which.everything:
        raise UsageError(
            "nothing-chosen", "no option chooses the connections", "resetting all connections is rarely wanted",
            "add --connection, --to, --port or another match; --to 0.0.0.0/0 --to ::/0 means all",
        )  # fmt: skip
    own = own_connection(dict(environment)) if target.runtime == "host" else None
    found = [each for each in connections(engine, target, which).connections if not _same(each.socket, own)]
    if not found:
        raise _none_there(target, which)
    with Namespace(target.netns_fd) as namespace:
        ended = tuple(each for each in found if namespace.run(lambda one=each.socket: _ended(one)))  # type: ignore[misc]  # a lambda's default has no type
    if not ended:
        raise _none_there(target, which)
    return TargetSockets(entries.whose(target), ended)


def _ended(one: Socket) -> bool:
    """Whether it was there to be ended. Raises NetweatherError cannot-reset."""
    try:
        sockdiag.destroy(one)
    except NetweatherError as error:
        if error.code == "no-such-connection":
            return False
        raise
    return True


def _none_there(target: Target, which: SocketFilter) -> NetweatherError:
    what = f"the connection {which.match.connection}" if which.match.connection else "such connection"
    verb = "has not" if which.match.connection else "has no"
    return NetweatherError(
        "no-such-connection", f"{target.reference} {verb} {what}", "it has ended or never existed",
        "`netweather connections` lists the existing ones",
    )  # fmt: skip


def _same(one: Socket, own: Connection | None) -> bool:
    if own is None:
        return False
    ends = {(one.local, one.local_port), (one.remote, one.remote_port)}
    return ends == {(own.a_addr, own.a_port), (own.b_addr, own.b_port)}


# what they lived through


def with_lives(engine: Engine, shown: Iterable[ConditionStatus]) -> list[ConditionStatus]:
    """The same, with what the connections of each rule lived through; as it was where the kernel doesn't tell."""
    of: dict[str, dict[RuleId, Experienced] | None] = {}
    found = []
    for each in shown:
        if each.target.identity not in of:
            of[each.target.identity] = _lives(engine, each.target)
        lives = of[each.target.identity]
        rules = [RuleId(each.condition.name, number) for number in range(len(each.condition.rules))]
        found.append(each if lives is None else replace(each, lived=tuple(map(lives.get, rules))))
    return found


def _lives(engine: Engine, whose: TargetRef) -> dict[RuleId, Experienced] | None:
    """None of a network that is gone, or whose kernel doesn't tell: nothing is worse for it."""
    with suppress(NetweatherError, OSError), entries.opened(whose) as fd:
        if fd is None:
            return None
        with Namespace(fd) as namespace:
            found = namespace.run(lambda: list(sockdiag.sockets([sockdiag.TCP])))
            met = _rules_met(engine, whose.identity, namespace)
        before = Remembered(engine.journal.directory(whose.identity))
        live = ((one, *met(one)) for one in found)
        return experienced(SocketInfo(one, None, out, back, before.of(one, out or back)) for one, out, back in live)
    return None


# which are meant


def _sockets(which: SocketFilter) -> Iterable[Socket]:
    protocols = [number for name, number in PROTOCOLS.items() if which.match.protocol in (None, name)]
    for one in sockdiag.sockets(protocols, listening=which.listening):
        if which.listening or (one.remote_port and one.state not in LISTENING):
            yield one


def _accepting(which: SocketFilter, target: Target) -> Callable[[Socket], bool]:
    """Whether a socket is meant: by the rules' own matcher, as if it were a condition of that match."""
    if which.match == Match() and not which.exclude:
        return lambda one: True
    condition = NetworkCondition(rules=(Rule(which.match),), exclude=which.exclude)
    peers = entries.resolved(condition, target)
    datapath, _ = flatten(
        [InForce(condition, peers, NEVER, 0, (PlainRule(Rule(which.match), 0),))], (_ANY,), engine_choice.look, Allocation()
    )
    matcher = Matcher(datapath.rules, (_ANY,))
    return lambda one: matcher.met(_packet(one, _ANY.slot, 0)) is not None


def _packet(one: Socket, slot: int, direction: int) -> Packet:
    return Packet(slot, direction, one.local, one.remote, one.protocol, one.local_port, one.remote_port)


# which rule each meets

Meets = Callable[[Socket], tuple[RuleId | None, RuleId | None]]


def _rules_met(engine: Engine, identity: str, namespace: Namespace) -> Meets:
    entry = engine.journal.read(identity)
    now = namespaces.boot_ns()
    active = [each for each in entry.conditions if each.deadline > now] if entry else []
    if entry is None or not active:
        return lambda one: (None, None)
    entry.conditions = active
    datapath, _ = entries.datapath(entry)
    matcher = Matcher(datapath.rules, datapath.interfaces)
    slot_of, rules = _slot_of(entry, namespace), datapath.rules

    def met(one: Socket) -> tuple[RuleId | None, RuleId | None]:
        if not one.remote_port or one.remote.startswith("127.") or one.remote in ("::1", one.local):
            return None, None  # loopback is never affected
        slot = slot_of(one.local)
        if slot is None:
            return None, None
        out, back = matcher.met(_packet(one, slot, 0)), matcher.met(_packet(one, slot, 1))
        return None if out is None else rules[out].rule_id, None if back is None else rules[back].rule_id

    return met


def _slot_of(entry: Entry, namespace: Namespace) -> Callable[[str], int | None]:
    """By the interface that has a socket's own address; the routing table could say otherwise. None: not one that rules mean."""
    if not entry.interfaces:  # all have left
        return lambda address: None
    first = entry.interfaces[0].slot
    named = any(rule.match.interfaces for each in entry.conditions for rule in each.condition.rules)
    if len(entry.interfaces) == 1 and not named:
        return lambda address: first
    slots = {interface.name: interface.slot for interface in entry.interfaces}
    names = namespace.run(links.names_by_address)
    return lambda address: slots.get(names[address]) if address in names else first


__all__ = ["TargetSockets", "SocketInfo", "SocketFilter", "connections", "reset", "with_lives"]
