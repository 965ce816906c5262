"""What the verbs answer: plain data, for front ends to print. Not here: how it comes to be (engine), and JSON (wire).

Imports little: a command line that asks an agent needs these classes, and no engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from netweather.conditions import NetworkCondition
    from netweather.errors import NetweatherError
    from netweather.kernel.datapath.operations import Operation
    from netweather.measure import ConditionEvidence
    from netweather.planning.rules import PlainRule


@dataclass(frozen=True)
class TargetRef:
    """Enough of a target to find it again and to name it. cookie: its namespace's, by which it is told from a later one that has
    got the inode; 0 when it is not known."""

    reference: str
    name: str
    dev: int
    ino: int
    pid: int | None
    path: str | None
    runtime: str
    cookie: int = 0

    @property
    def identity(self) -> str:
        return f"{self.dev}-{self.ino}"


class Before(NamedTuple):
    """How a connection fared when its condition was set. rtt: µs; bytes: acknowledged and received; rate: `_rate`'s."""

    rtt: int | None
    retransmits: int
    bytes: int
    rate: int | None
    seconds_ago: float


@dataclass(frozen=True)
class Experienced:
    """What the connections of one rule live through. known: how many of them were there before it was set.

    rtt_before, rtt: medians in µs. retransmits: segments sent again since. rate_before, rate: medians in bits a second, by TCP's own
    estimate of the rate at which its data arrives. goodput: bits a second that those from before have moved since, both ways.
    """

    connections: int
    known: int
    rtt_before: float | None
    rtt: float | None
    retransmits: int
    rate_before: float | None
    rate: float | None
    goodput: float | None


@dataclass(frozen=True)
class SetResult:
    """What `set` did. operations: in order, also of a dry run. notes: what the user should know."""

    target: TargetRef
    condition: NetworkCondition
    operations: tuple[Operation, ...]
    changed: bool
    peers: dict[str, tuple[str, ...]]
    interfaces: tuple[str, ...]
    notes: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    """Which engines make its lines, and why."""
    plan: tuple[str, ...] | None = None
    """The operations in words, of a dry run."""
    rules: tuple[PlainRule, ...] = ()
    """The condition's, without profiles; of a set that another process did, they are not known."""


@dataclass(frozen=True)
class RuleCounters:
    """What one rule has seen since it was set: packets on the wire, bytes, and what became of them as requested.

    dropped: all that it lost: blocked, and by loss, trace, mtu and a full queue. marked: by ECN, instead of a loss. reordered: sent at
    once. None: the engine does not tell.
    """

    packets: int
    bytes: int
    dropped: int
    blocked: int | None = None
    loss: int | None = None
    trace: int | None = None
    mtu: int | None = None
    queue: int | None = None
    marked: int | None = None
    duplicated: int | None = None
    corrupted: int | None = None
    reordered: int | None = None

    @property
    def causes(self) -> dict[str, int | None]:
        """Of what was dropped."""
        return {"blocked": self.blocked, "loss": self.loss, "trace": self.trace, "mtu": self.mtu, "queue": self.queue}

    @property
    def effects(self) -> dict[str, int | None]:
        """What else was done to packets."""
        names = ("marked", "duplicated", "corrupted", "reordered")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class ConditionStatus:
    """One network condition as it stands. remaining_ns: of its lease, None for ever. in_force: the kernel holds all of it.

    problems: why it is not in force, or what else is wrong, in words. unwanted_drops: packets that our own devices dropped and
    nobody asked for. queue_drops: those that a full queue dropped, since a rate or a limit was asked for.
    engines: which engines make its lines, and why. hook: where it is attached, tcx or clsact.
    notes: what is not wrong and yet to be known. lived: of each rule what its connections lived through, where somebody asked.
    """

    target: TargetRef
    condition: NetworkCondition
    remaining_ns: int | None
    in_force: bool
    problems: tuple[str, ...]
    interfaces: tuple[str, ...]
    peers: dict[str, tuple[str, ...]]
    rules: tuple[RuleCounters, ...]
    unwanted_drops: int
    engine: str
    engines: tuple[str, ...] = ()
    queue_drops: int = 0
    hook: str = "tcx"
    notes: tuple[str, ...] = ()
    lived: tuple[Experienced | None, ...] | None = None

    @property
    def causes(self) -> dict[str, int | None]:
        """Of what its rules dropped."""
        return _total([rule.causes for rule in self.rules])

    @property
    def effects(self) -> dict[str, int | None]:
        """What else its rules did to packets."""
        return _total([rule.effects for rule in self.rules])


def _total(counted: list[dict[str, int | None]]) -> dict[str, int | None]:
    names = counted[0] if counted else {}
    return {
        name: None if any(each[name] is None for each in counted) else sum(each[name] or 0 for each in counted) for name in names
    }


@dataclass(frozen=True)
class Rest:
    """Packets that closed lines still hold, and held packets that were dropped."""

    draining: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class Cleared:
    """What `clear` did to one target: the names that ended, or why it could not be done (and all is as it was).

    names and a problem: they ended, and the journal could not be written.

    draining: packets that emulated links still hold; they come out when they are due, within DRAIN_S, or are dropped.
    dropped: packets that were held and are dropped already. identity: the target's, where there was anything of ours.
    container: the target's own name. begun_by: for each name, the reference by which it had been set.
    """

    target: str
    names: tuple[str, ...]
    problem: NetweatherError | OSError | None = None
    draining: int = 0
    dropped: int = 0
    identity: str = ""
    container: str = ""
    begun_by: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The target for people: its reference, with its own name where that says which one is meant."""
        return self.target if self.container in self.target else f"{self.target} ({self.container})"

    @property
    def held(self) -> dict[str, int]:
        """What became of packets that were held, if there were any, for a JSON document."""
        counts = {"drainingPackets": self.draining, "droppedPackets": self.dropped}
        return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True)
class Recovered:
    """What `recover` found: the target's name or namespace, and what of it. taken: away; else left alone, and why is in `what`.

    forcible: `recover` takes it away, too, when `target` is named as to be forced. identity: of its namespace, then.
    """

    target: str
    what: str
    taken: bool = True
    forcible: bool = False
    identity: str = ""


@dataclass(frozen=True)
class SetOutcome:
    """A network condition that was set, or would be, and what `set` did on each target."""

    condition: NetworkCondition
    results: tuple[SetResult, ...]
    dry_run: bool = False
    evidence: tuple[ConditionEvidence, ...] = ()
    """What was measured, when it was to be proved."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, of all targets."""
        return tuple(dict.fromkeys(note for result in self.results for note in result.notes))
