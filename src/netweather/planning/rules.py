"""Network conditions on one target become the flat list of rules and the lines they need.

All rules form one list, by priority and then by order of creation; the first that matches wins. Pure: peers are resolved and
line parameters made by whoever calls.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Generic, TypeVar

from netweather.conditions import Condition, Connection, Match, NetworkCondition, Rule
from netweather.errors import UsageError
from netweather.kernel.datapath.spec import (
    DIRECTIONS,
    MAX_LEASES,
    MAX_LINES,
    MAX_RULES,
    Action,
    Datapath,
    Engine,
    ExactConnection,
    FlatRule,
    Interface,
    Line,
    LineId,
    PacketDirection,
    RuleId,
    RulePrefix,
)
from netweather.planning.vectors import wide

PROTOCOLS: dict[str, frozenset[int]] = {
    "tcp": frozenset({6}),
    "udp": frozenset({17}),
    "sctp": frozenset({132}),
    "icmp": frozenset({1, 58}),
}


@dataclass(frozen=True)
class LineSpec:
    """What a line must look like: `parameters`, `tables` and `whole` as in the seam's Line."""

    parameters: bytes
    tables: tuple[tuple[str, bytes], ...] = ()
    whole: bool = False


LineCompiler = Callable[[Condition, PacketDirection, Engine], LineSpec]
"""The direction matters only to a condition with a seed."""


@dataclass(frozen=True)
class PlainRule:
    """A rule of a condition in force: without a profile, and with the engine that makes its lines.

    origin: the number of the user's rule that it is, or is a part of. engine: None of what needs no line.
    why: what kept netem from making them.
    """

    rule: Rule
    origin: int
    engine: Engine | None = None
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class InForce:
    """One network condition on the target: peers by the user's words, and when its lease ends (CLOCK_BOOTTIME ns, or NEVER).

    condition: as the user wrote it, for people. rules: what it means, without profiles.
    reference: the one of its targets by which this target was found; "" when that is not known.
    """

    condition: NetworkCondition
    peers: Mapping[str, tuple[RulePrefix, ...]]
    deadline: int
    created: int
    rules: tuple[PlainRule, ...]
    reference: str = ""


@dataclass
class Allocation:
    """Which number each line, counter, lease and interface has: kept from one plan to the next, so that what stays isn't moved."""

    lines: dict[LineId, int] = field(default_factory=dict)
    counters: dict[RuleId, int] = field(default_factory=dict)
    leases: dict[str, int] = field(default_factory=dict)
    interfaces: dict[str, int] = field(default_factory=dict)


K = TypeVar("K")


class _Allocator(Generic[K]):
    """Gives out numbers; a key keeps its old one, and those that are no longer asked for become free."""

    def __init__(self, before: Mapping[K, int], most: int, noun: str, busy: Collection[int] = ()) -> None:
        self.before, self.most, self.noun, self.busy = before, most, noun, busy
        self.now: dict[K, int] = {}

    def slot(self, key: K) -> int:
        if key not in self.now:
            # One that was in use before isn't given to another at once: packets of before may still be under way there.
            taken = {*self.before.values(), *self.now.values(), *self.busy}
            number = self.before.get(key, next((n for n in range(self.most) if n not in taken), -1))
            if number < 0:  # rather than refuse, what drains is dropped
                number = next((n for n in self.busy if n not in self.now.values()), -1)
            if number < 0:
                what = f"more than {self.most} {self.noun} on one target"
                raise UsageError(f"too-many-{self.noun}", what, "", f"clear some, or use fewer {self.noun}")
            self.now[key] = number
        return self.now[key]


@dataclass
class _Build:
    interfaces: tuple[Interface, ...]
    make_line: LineCompiler
    lines_before: _Allocator[LineId]
    counters: _Allocator[RuleId]
    leases: _Allocator[str]
    lines: list[Line] = field(default_factory=list)
    rules: list[FlatRule] = field(default_factory=list)


def flatten(
    conditions: Iterable[InForce],
    interfaces: tuple[Interface, ...],
    make_line: LineCompiler,
    slots: Allocation,
    alias: str = "",
    busy: Collection[int] = (),
) -> tuple[Datapath, Allocation]:
    """The datapath of these conditions, and the slots it uses. busy: lines that still hold packets of what has ended.

    An interface that a rule names and that is not there is passed by. Raises UsageError (too many rules, lines).
    """
    build = _Build(
        interfaces,
        make_line,
        _Allocator(slots.lines, MAX_LINES, "lines", busy),
        _Allocator(slots.counters, MAX_RULES, "rules"),
        _Allocator(slots.leases, MAX_LEASES, "conditions"),
    )
    ordered = sorted(conditions, key=lambda c: c.created)
    entries = sorted(((active, plain) for active in ordered for plain in active.rules), key=lambda e: e[1].rule.priority)
    for _, run in groupby(entries, key=lambda e: e[0].condition.name):
        together = list(run)
        _add_run(build, together[0][0], [plain for _, plain in together])
    leases = [0] * (max(build.leases.now.values(), default=-1) + 1)
    for active in ordered:
        if active.condition.name in build.leases.now:
            leases[build.leases.now[active.condition.name]] = active.deadline
    used = Allocation(build.lines_before.now, build.counters.now, build.leases.now, {i.name: i.slot for i in interfaces})
    return Datapath(interfaces, tuple(build.lines), tuple(build.rules), tuple(leases), alias), used


def _add_run(build: _Build, active: InForce, run: list[PlainRule]) -> None:
    """Rules of one condition that stand next to each other, with what is excluded from them in front."""
    condition = active.condition
    end = len(build.rules) + len(condition.exclude) + len(run)
    lease = build.leases.slot(condition.name)
    for number, match in enumerate(condition.exclude):
        skipped = RuleId(condition.name, number, excluded=True)
        build.rules.append(_flat(build, active, match, Action.SKIP, lease, skipped, skip_to=end))
    for plain in run:
        rule_id, action = RuleId(condition.name, plain.origin), _action(plain.rule.condition)
        lines = tuple(_make_lines(build, rule_id, plain.rule, plain.engine)) if plain.engine and action is Action.LINE else ()
        heartbeat = bool(lines) and plain.engine == "pump"
        build.rules.append(_flat(build, active, plain.rule.match, action, lease, rule_id, lines=lines, heartbeat=heartbeat))


def _action(condition: Condition) -> Action:
    if condition.block == "drop":
        return Action.DROP
    if condition.block == "reject":
        return Action.REJECT
    return Action.PASS if condition == Condition() else Action.LINE


def _make_lines(build: _Build, rule_id: RuleId, rule: Rule, engine: Engine) -> Iterable[tuple[tuple[int, int], int]]:
    looks: dict[PacketDirection, LineSpec] = {}
    for slot, number in sorted(_places(build, rule.match)):
        interface = next(i for i in build.interfaces if i.slot == slot)
        direction = DIRECTIONS[number]
        alike = direction if rule.condition.seed is not None else DIRECTIONS[0]
        if alike not in looks:
            looks[alike] = build.make_line(rule.condition, alike, engine)
        look = looks[alike]
        # Another engine is another line: the old one lets out what it holds.
        index = build.lines_before.slot(LineId(rule_id, direction, interface.name, engine))
        build.lines.append(Line(index, rule_id, interface, direction, engine, look.parameters, look.tables, look.whole))
        yield (slot, number), index


def _places(build: _Build, match: Match) -> frozenset[tuple[int, int]]:
    directions = [n for n, direction in enumerate(DIRECTIONS) if match.direction in (direction, "both")]
    chosen = [i for i in build.interfaces if (i.name in match.interfaces if match.interfaces else not i.upper)]
    return frozenset((interface.slot, number) for interface in chosen for number in directions)


def _flat(
    build: _Build,
    active: InForce,
    match: Match,
    action: Action,
    lease: int,
    rule_id: RuleId,
    *,
    lines: tuple[tuple[tuple[int, int], int], ...] = (),
    heartbeat: bool = False,
    skip_to: int = 0,
) -> FlatRule:
    peers = tuple(prefix for word in match.to for prefix in active.peers[word]) if match.to else None
    return FlatRule(
        action=action,
        lease=lease,
        counter=build.counters.slot(rule_id),
        places=_places(build, match),
        peers=peers,
        ports=tuple((p.first, p.last) for p in match.ports) or None,
        protocols=_protocols(match),
        family={"ipv4": 4, "ipv6": 6, None: None}[match.family],
        connections=_connections(match.connection, match) if match.connection else None,
        lines=lines,
        heartbeat=heartbeat,
        skip_to=skip_to,
        share=_share(match),
        share_seed=_share_seed(active),
        tcp_flags=(match.tcp_flags.mask, match.tcp_flags.value) if match.tcp_flags else None,
        vlan=match.vlan,
        rule_id=rule_id,
    )


def _protocols(match: Match) -> frozenset[int] | None:
    if match.protocol is None:
        return None
    return PROTOCOLS[match.protocol] if isinstance(match.protocol, str) else frozenset({match.protocol})


def _connections(connection: Connection, match: Match) -> tuple[ExactConnection, ...]:
    """Either end may be the target's, so both ways round; TCP unless the match says otherwise."""
    a = (wide(connection.a_addr), connection.a_port)
    b = (wide(connection.b_addr), connection.b_port)
    protocols = sorted(_protocols(match) or {6, 17})
    return tuple(ExactConnection(p, *ends) for p in protocols for ends in ((a, b), (b, a)))


def _share(match: Match) -> int | None:
    if match.share is None or match.share.ppb == 10**9:
        return None
    return match.share.ppb * 2**32 // 10**9


def _share_seed(active: InForce) -> int:
    seeds = (plain.rule.condition.seed for plain in active.rules)
    return next((seed for seed in seeds if seed is not None), 0) & (2**32 - 1)
