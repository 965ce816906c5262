"""Network conditions on one target become the flat list of rules and the lines they need.

All rules form one list, by priority and then by order of creation; the first that matches wins. Pure: peers are resolved and
line parameters made by whoever calls.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from netweather.conditions import Condition, Connection, Engine, Match, NetworkCondition, Rule
from netweather.errors import UsageError
from netweather.kernel.spec import (
    DIRECTIONS,
    MAX_LEASES,
    MAX_LINES,
    MAX_RULES,
    Action,
    Datapath,
    Direction,
    ExactConnection,
    FlatRule,
    Interface,
    Line,
    Prefix,
)
from netweather.planning.vectors import wide

NETEM_KEY = "/netem"
"""The end of a netem line's key."""
PROTOCOLS: dict[str, frozenset[int]] = {
    "tcp": frozenset({6}),
    "udp": frozenset({17}),
    "sctp": frozenset({132}),
    "icmp": frozenset({1, 58}),
}


@dataclass(frozen=True)
class Look:
    """What a line must look like, and which engine makes it; `whole`, `parameters` and `tables` as in the seam's Line."""

    parameters: bytes
    tables: tuple[tuple[str, bytes], ...] = ()
    engine: Literal["pump", "netem"] = "pump"
    whole: bool = False


LineMaker = Callable[[Condition, Direction, Engine], Look]


@dataclass(frozen=True)
class InForce:
    """One network condition on the target: peers by the user's words, and when its lease ends (CLOCK_BOOTTIME ns, or NEVER).

    reference: the one of its targets by which this target was found; "" when that is not known.
    """

    condition: NetworkCondition
    peers: Mapping[str, tuple[Prefix, ...]]
    deadline: int
    created: int
    reference: str = ""


@dataclass
class Slots:
    """Which number each line, counter, lease and interface has: kept from one plan to the next, so that what stays isn't moved."""

    lines: dict[str, int] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    leases: dict[str, int] = field(default_factory=dict)
    interfaces: dict[str, int] = field(default_factory=dict)


class _Allocator:
    """Gives out numbers; a key keeps its old one, and those that are no longer asked for become free."""

    def __init__(self, before: Mapping[str, int], most: int, noun: str, busy: Collection[int] = ()) -> None:
        self.before, self.most, self.noun, self.busy = before, most, noun, busy
        self.now: dict[str, int] = {}

    def slot(self, key: str) -> int:
        if key not in self.now:
            # One that was in use before isn't given to another at once: packets of before may still be under way there.
            taken = {*self.before.values(), *self.now.values(), *self.busy}
            number = self.before.get(key, next((n for n in range(self.most) if n not in taken), -1))
            if number < 0:  # rather than refuse, what drains is dropped
                number = next((n for n in self.busy if n not in self.now.values()), -1)
            if number < 0:
                what = f"more than {self.most} {self.noun} on one target"
                raise UsageError(f"too-many-{self.noun}", what, "", f"clear some, or ask for fewer {self.noun}")
            self.now[key] = number
        return self.now[key]


@dataclass
class _Build:
    interfaces: tuple[Interface, ...]
    make_line: LineMaker
    lines_before: _Allocator
    counters: _Allocator
    leases: _Allocator
    lines: list[Line] = field(default_factory=list)
    rules: list[FlatRule] = field(default_factory=list)


def flatten(
    conditions: Iterable[InForce],
    interfaces: tuple[Interface, ...],
    make_line: LineMaker,
    slots: Slots,
    alias: str = "",
    busy: Collection[int] = (),
) -> tuple[Datapath, Slots]:
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
    entries = [(rule, number, active) for active in ordered for number, rule in enumerate(active.condition.rules)]
    entries.sort(key=lambda e: e[0].priority)
    for active, run in groupby(entries, key=lambda e: e[2]):
        _add_run(build, active, [(rule, number) for rule, number, _ in run])
    leases = [0] * (max(build.leases.now.values(), default=-1) + 1)
    for active in ordered:
        if active.condition.name in build.leases.now:
            leases[build.leases.now[active.condition.name]] = active.deadline
    used = Slots(build.lines_before.now, build.counters.now, build.leases.now, {i.name: i.slot for i in interfaces})
    return Datapath(interfaces, tuple(build.lines), tuple(build.rules), tuple(leases), alias), used


def _add_run(build: _Build, active: InForce, run: list[tuple[Rule, int]]) -> None:
    """Rules of one condition that stand next to each other, with what is excluded from them in front."""
    condition = active.condition
    end = len(build.rules) + len(condition.exclude) + len(run)
    lease = build.leases.slot(condition.name)
    for number, match in enumerate(condition.exclude):
        counter = build.counters.slot(f"{condition.name}/exclude/{number}")
        build.rules.append(_flat(build, active, match, Action.SKIP, lease, counter, skip_to=end))
    for rule, number in run:
        key = f"{condition.name}/{number}"
        counter = build.counters.slot(key)
        action = _action(rule.condition)
        lines: tuple[tuple[tuple[int, int], int], ...] = ()
        if action is Action.LINE:
            lines = tuple(_make_lines(build, key, rule, condition.engine))
        build.rules.append(_flat(build, active, rule.match, action, lease, counter, lines=lines))


def _action(condition: Condition) -> Action:
    if condition.block == "drop":
        return Action.DROP
    if condition.block == "reject":
        return Action.REJECT
    return Action.PASS if condition == Condition() else Action.LINE


def _make_lines(build: _Build, key: str, rule: Rule, engine: Engine) -> Iterable[tuple[tuple[int, int], int]]:
    for slot, number in sorted(_places(build, rule.match)):
        interface = next(i for i in build.interfaces if i.slot == slot)
        direction = DIRECTIONS[number]
        look = build.make_line(rule.condition, direction, engine)
        # Another engine is another line: the old one lets out what it holds.
        line_key = f"{key}/{direction}/{interface.name}" + (NETEM_KEY if look.engine == "netem" else "")
        index = build.lines_before.slot(line_key)
        build.lines.append(Line(index, line_key, interface, direction, look.engine, look.parameters, look.tables, look.whole))
        yield (slot, number), index


def renamed_line(key: str, new: Mapping[str, str]) -> str:
    """A line's key after interfaces got new names."""
    end = NETEM_KEY if key.endswith(NETEM_KEY) else ""
    before, _, name = key.removesuffix(end).rpartition("/")
    return f"{before}/{new.get(name, name)}{end}"


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
    counter: int,
    *,
    lines: tuple[tuple[tuple[int, int], int], ...] = (),
    skip_to: int = 0,
) -> FlatRule:
    peers = tuple(prefix for word in match.to for prefix in active.peers[word]) if match.to else None
    return FlatRule(
        action=action,
        lease=lease,
        counter=counter,
        places=_places(build, match),
        peers=peers,
        ports=tuple((p.first, p.last) for p in match.ports) or None,
        protocols=_protocols(match),
        family={"ipv4": 4, "ipv6": 6, None: None}[match.family],
        connections=_connections(match.connection, match) if match.connection else None,
        lines=lines,
        heartbeat=any(line.engine == "pump" and line.index in dict(lines).values() for line in build.lines),
        skip_to=skip_to,
        share=_share(match),
        share_seed=_share_seed(active.condition),
        tcp_flags=(match.tcp_flags.mask, match.tcp_flags.value) if match.tcp_flags else None,
        vlan=match.vlan,
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


def _share_seed(condition: NetworkCondition) -> int:
    seeds = (rule.condition.seed for rule in condition.rules)
    return next((seed for seed in seeds if seed is not None), 0) & (2**32 - 1)
