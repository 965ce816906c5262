"""What the kernel is to hold for one target, and what it is seen to hold: plain data, the same everywhere."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, NamedTuple

PacketDirection = Literal["egress", "ingress"]
Engine = Literal["pump", "netem"]
"""What makes a line."""
DIRECTIONS: tuple[PacketDirection, PacketDirection] = ("egress", "ingress")
RulePrefix = IPv4Network | IPv6Network
MAX_RULES = 1024
MAX_LINES = 240
MAX_INTERFACES = 64
MAX_LEASES = 256
PORT_ROOM = 65536 // 4
"""Elements of the table of ports, each of four."""
NEVER = 2**64 - 1
"""The end of a lease that has none."""


class RuleId(NamedTuple):
    """A rule as the user wrote it: the condition's name, and the rule's place in it. excluded: its place among the exclusions."""

    condition: str
    rule: int
    excluded: bool = False


NO_RULE = RuleId("", 0)


class LineId(NamedTuple):
    """A line: for the packets of one rule that pass an interface in one direction. Another engine is another line."""

    rule: RuleId
    direction: PacketDirection
    interface: str
    engine: Engine

    def __str__(self) -> str:
        place = f"{self.rule.condition}/{self.rule.rule}/{self.direction}/{self.interface}"
        return f"{place}/netem" if self.engine == "netem" else place


class Action(IntEnum):
    """What becomes of a packet that meets a rule; the numbers are the classifier's (bpf/classify/classify.h)."""

    PASS = 0
    SKIP = 1
    LINE = 2
    DROP = 3
    REJECT = 4


@dataclass(frozen=True)
class Interface:
    """An interface of the target whose traffic is looked at. slot: its number in our tables, for as long as it is there.

    upper: its packets pass another interface of the target too; only rules that name it mean it.
    layer3: its packets have no link header.
    """

    name: str
    ifindex: int
    slot: int
    upper: bool = False
    layer3: bool = False


@dataclass(frozen=True)
class ExactConnection:
    """One connection, seen from the target: (address, port) of either end, as 16-byte addresses."""

    protocol: int
    local: tuple[bytes, int]
    remote: tuple[bytes, int]


@dataclass(frozen=True)
class FlatRule:
    """A rule as the classifier sees it. None: that dimension doesn't matter.

    rule_id: the user's rule that it stands for; a profile may be two of these, one for each direction.
    places: (interface slot, direction 0 egress or 1 ingress). lines: the line for each place. lease, counter: slots.
    skip_to: for SKIP, the first rule after those that the excluded traffic is excluded from.
    share: of 2**32.
    """

    action: Action
    lease: int
    counter: int
    places: frozenset[tuple[int, int]]
    peers: tuple[RulePrefix, ...] | None = None
    ports: tuple[tuple[int, int], ...] | None = None
    protocols: frozenset[int] | None = None
    family: Literal[4, 6] | None = None
    connections: tuple[ExactConnection, ...] | None = None
    lines: tuple[tuple[tuple[int, int], int], ...] = ()
    heartbeat: bool = False
    skip_to: int = 0
    share: int | None = None
    share_seed: int = 0
    tcp_flags: tuple[int, int] | None = None
    vlan: int | None = None
    rule_id: RuleId = NO_RULE


@dataclass(frozen=True)
class Line:
    """One line: which packets it is for (a rule's, at a place), how it is made and with which parameters (a pump's block, or netem's)."""

    index: int
    rule_id: RuleId
    interface: Interface
    direction: PacketDirection
    engine: Engine
    parameters: bytes
    tables: tuple[tuple[str, bytes], ...] = ()
    whole: bool = False
    """Nothing is decided for each packet, so netem may have a sender's GSO packets as they are."""

    @property
    def id(self) -> LineId:
        return LineId(self.rule_id, self.direction, self.interface.name, self.engine)


@dataclass(frozen=True)
class Datapath:
    """All that is to be in force for one target. An empty one (`Datapath()`) means: nothing of ours."""

    interfaces: tuple[Interface, ...] = ()
    lines: tuple[Line, ...] = ()
    rules: tuple[FlatRule, ...] = ()
    leases: tuple[int, ...] = ()
    alias: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing can be done: no rule, or no interface that it could act on."""
        return not self.rules or not self.interfaces


@dataclass(frozen=True)
class Room:
    """How much the loaded tables can hold, of one generation."""

    rules: int
    bits: int
    ports: int

    def holds(self, other: Room) -> bool:
        return self.rules >= other.rules and self.bits >= other.bits and self.ports >= other.ports


@dataclass(frozen=True)
class LineCounts:
    """What a line has done to packets since it was made. dropped: all that was requested; None: the engine does not tell.

    marked: by ECN. reordered: those that were sent at once.
    """

    dropped: int = 0
    loss: int | None = 0
    trace: int | None = 0
    mtu: int | None = 0
    queue: int | None = 0
    marked: int | None = 0
    duplicated: int | None = 0
    corrupted: int | None = 0
    reordered: int | None = 0


@dataclass(frozen=True)
class Tables:
    """What the classifier's maps are to hold. Ids are indexes into `vectors` (each an integer whose bit i is rule i).

    without_ports: for packets that have no ports. others: for frames in which no IP packet is found.
    """

    rules: tuple[FlatRule, ...]
    vectors: tuple[int, ...]
    places: dict[tuple[int, int], int]
    peers: dict[RulePrefix, int]
    protocols: array[int] | None
    ports: array[int] | None
    without_ports: int
    others: int = 0
    connections: dict[ExactConnection, int] = field(default_factory=dict)

    @property
    def room(self) -> Room:
        """The room that these tables need, in steps, so that small changes need no new maps."""
        ports = PORT_ROOM if self.ports is not None else 1
        counters = max((rule.counter + 1 for rule in self.rules), default=0)
        return Room(_step(max(len(self.rules), counters), 64, MAX_RULES), _step(len(self.vectors), 64, 1 << 16), ports)

    @property
    def digest(self) -> int:
        """64 bits, the same for the same rules."""
        return digest_of(self.rules)


def digest_of(rules: tuple[FlatRule, ...]) -> int:
    """64 bits that tell one list of rules from another; not 0."""
    stable = [(r.action, r.lease, r.counter, sorted(r.places), r.peers, r.ports, sorted(r.protocols or ()), r.protocols is None,
               r.family, r.connections, r.lines, r.heartbeat, r.skip_to, r.share, r.share_seed, r.tcp_flags, r.vlan)
              for r in rules]  # fmt: skip
    return int.from_bytes(hashlib.sha256(repr(stable).encode()).digest()[:8], "little") | 1


def _step(count: int, least: int, most: int) -> int:
    size = least
    while size < count:
        size *= 2
    return min(size, most)


@dataclass(frozen=True)
class LeftOut:
    """An interface that rules mean only when they name it, and why.

    hides: the packets that pass it can't be recognised at any other interface. up: it is in use.
    fit: it can carry a condition; one that isn't can't even be named.
    """

    name: str
    ifindex: int
    why: str
    hides: bool = False
    up: bool = True
    fit: bool = True


@dataclass(frozen=True)
class Observed:
    """What the kernel is seen to hold for one target.

    interfaces: those that could be looked at, in order of index. left_out: those that have to be named.
    layer3: the names of those without link headers.
    forwards: the target passes packets on from one interface to another. attached: names of the interfaces with both of our programs.
    half_attached: names of those with a part only: somebody took one away, or the interface was elsewhere meanwhile.
    left: an interface that was covered has left the namespace, or is deleted; its programs may be on it, wherever it is.
    port: nw0 is there, up, and with its programs; port_faults: what is wrong with one that is there, in words.
    rules: the digest of the rule set in force. lines: the lines that are whole. broken: those of which a part is missing.
    pump: it runs and its heart beats. alive: a lease runs on and, where there are lines, some pump's heart beats, whoever's.
    hidden: what stands before us and may hide traffic from us, and what our lines can't carry, in words. down: of the interfaces.
    cookie: the namespace's own, which no other ever gets; 0 when the kernel tells none.
    """

    interfaces: tuple[tuple[str, int], ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    layer3: frozenset[str] = frozenset()
    forwards: bool = False
    helper: bool = False
    port: bool = False
    port_faults: tuple[str, ...] = ()
    classifier: Room | None = None
    rules: int | None = None
    leases: tuple[int, ...] = ()
    attached: frozenset[str] = frozenset()
    half_attached: frozenset[str] = frozenset()
    left: bool = False
    lines: frozenset[int] = frozenset()
    broken: frozenset[int] = frozenset()
    pump: bool = False
    alive: bool = False
    hook: Literal["tcx", "clsact"] = "tcx"
    hidden: tuple[str, ...] = ()
    down: frozenset[str] = frozenset()
    cookie: int = 0
