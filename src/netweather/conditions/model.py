"""The condition language as frozen dataclasses: what is wrong, with which traffic, of which targets, for how long.

Terms and meanings are tc-netem's. Every field declares its meaning, unit and range, from which flags, YAML, schema and
reference come. Zero is a value: Delay(Duration(0)) is a line that adds nothing. Condition() is "no condition".
Not here: semantic checks (validation), spelling (load, dump, flags), what an engine can do (lines/).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar, Final, Literal

from netweather.conditions.declare import about
from netweather.conditions.loss import ALWAYS, NEVER, Loss
from netweather.conditions.match import Match
from netweather.units import Duration, Limit, Packets, Percent, Rate, Size

Block = Literal["drop", "reject"]
Engine = Literal["auto", "netem", "pump"]
Queue = Literal["droptail", "codel", "ecn"]
DISTRIBUTIONS: Final = ("uniform", "normal", "pareto", "paretonormal")
NO_TIME: Final = Duration(0)


class Forever(Enum):
    """The lease without an end, only when spelt out."""

    FOREVER = "forever"

    def __str__(self) -> str:
        return "forever"


FOREVER: Final = Forever.FOREVER
Lease = Duration | Forever
DEFAULT_LEASE: Final = Duration(600 * 10**9)


@dataclass(frozen=True, slots=True)
class Delay:
    """Every packet comes later by `time`, give or take `jitter`."""

    SHORT: ClassVar[str] = "time"
    time: Duration = field(metadata=about("how much later each packet comes", unit="time", example="100ms"))
    jitter: Duration = field(
        default=NO_TIME,
        metadata=about("how much the delay varies: the half-width of uniform, one sigma otherwise", unit="time", example="20ms"),
    )
    correlation: Percent = field(
        default=NEVER,
        metadata=about("how much a packet's delay follows the one before it", unit="percent", example="25%", needs="jitter"),
    )
    distribution: str = field(
        default="uniform",
        metadata=about(
            "uniform, normal, pareto, paretonormal, or a table: its path (with a /) or its lines",
            example="normal",
            needs="jitter",
        ),
    )
    keep_order: bool = field(
        default=False, metadata=about("a packet never overtakes the one before it, whatever the jitter", example="true")
    )

    @property
    def table(self) -> str | None:
        """The path of the table, or its contents, when the distribution is none of those with a name."""
        return None if self.distribution in DISTRIBUTIONS else self.distribution


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Packets that arrive twice."""

    SHORT: ClassVar[str] = "percent"
    percent: Percent = field(metadata=about("the share of packets that arrive twice", unit="percent", example="1%"))
    correlation: Percent = field(
        default=NEVER, metadata=about("how much it follows the packet before", unit="percent", example="25%")
    )


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Packets that arrive with one bit wrong."""

    SHORT: ClassVar[str] = "percent"
    percent: Percent = field(metadata=about("the share of packets with one bit wrong", unit="percent", example="0.1%"))
    correlation: Percent = field(
        default=NEVER, metadata=about("how much it follows the packet before", unit="percent", example="25%")
    )


@dataclass(frozen=True, slots=True)
class Reorder:
    """Packets that overtake: they are sent at once while the others wait for the delay, so a delay is needed."""

    SHORT: ClassVar[str] = "percent"
    percent: Percent = field(
        default=ALWAYS,
        metadata=about("the share of packets, of those at the gap, sent at once", unit="percent", example="5%", always=True),
    )
    correlation: Percent = field(
        default=NEVER, metadata=about("how much it follows the packet before", unit="percent", example="25%")
    )
    gap: int = field(
        default=1,
        metadata=about("only one packet in so many may overtake", unit="packets", example="5", minimum=1, maximum=2**32 - 1),
    )


@dataclass(frozen=True, slots=True)
class RateLimit:
    """No more than `bitrate`, for each interface and each direction separately; packets wait their turn in the queue."""

    SHORT: ClassVar[str] = "bitrate"
    bitrate: Rate = field(metadata=about("bits a second; 0 is no limit, as to netem", unit="rate", example="2mbit"))
    overhead: int = field(
        default=0,
        metadata=about(
            "bytes added to each packet when its time is reckoned, such as a link's header; may be negative",
            unit="bytes",
            example="14",
            minimum=-(2**15),
            maximum=2**15,
        ),
    )


@dataclass(frozen=True, slots=True)
class Slot:
    """Packets arrive in batches: they gather, and go out together when a slot opens."""

    SHORT: ClassVar[str] = "minimum"
    minimum: Duration = field(
        metadata=about("the shortest time between two slots", unit="time", example="10ms", aliases=("min",))
    )
    maximum: Duration | None = field(
        default=None, metadata=about("the longest; the same unless given", unit="time", example="20ms", aliases=("max",))
    )
    packets: Packets | None = field(default=None, metadata=about("at most so many packets a slot", unit="packets", example="32"))
    bytes: Size | None = field(default=None, metadata=about("at most so many bytes a slot", unit="size", example="64kb"))


@dataclass(frozen=True, slots=True)
class Condition:
    """What is wrong with the network: all of what is given, at once."""

    profile: str | None = field(default=None, metadata=about("a named condition that the other fields then change", example="3g"))
    delay: Delay | None = field(default=None, metadata=about("packets come later", example="100ms"))
    loss: Loss | None = field(default=None, metadata=about("packets never arrive", example="1%"))
    duplicate: Duplicate | None = field(default=None, metadata=about("packets arrive twice", example="1%"))
    corrupt: Corrupt | None = field(default=None, metadata=about("packets arrive with a bit wrong", example="0.1%"))
    reorder: Reorder | None = field(default=None, metadata=about("packets overtake others", example="5%"))
    rate: RateLimit | None = field(default=None, metadata=about("packets wait for their turn", example="10mbit"))
    limit: Limit | None = field(
        default=None,
        metadata=about(
            "the line's queue, in packets, bytes, or time at the rate; sized from rate and delay unless given", example="1000"
        ),
    )
    queue: Queue | None = field(
        default=None,
        metadata=about("what a full queue does: drop the newest, manage delay by codel, or mark by ecn", example="codel"),
    )
    slot: Slot | None = field(default=None, metadata=about("packets arrive in batches", example="10ms"))
    ecn: bool = field(default=False, metadata=about("mark packets that allow it (ECN) rather than lose them", example="true"))
    block: Block | None = field(
        default=None, metadata=about("nothing arrives: silently (drop), or with an answer (reject)", example="drop")
    )
    mtu: int | None = field(
        default=None,
        metadata=about(
            "larger packets vanish and nobody is told: a path MTU black hole",
            unit="bytes",
            example="1300",
            minimum=68,
            maximum=65535,
        ),
    )
    trace: str | None = field(
        default=None,
        metadata=about(
            "a trace of rate, delay and loss over time: its path or its lines (docs/traces.md)", example="./train.trace"
        ),
    )
    seed: int | None = field(
        default=None,
        metadata=about("what the random choices start from: the same drops the same", example="7", minimum=0, maximum=2**64 - 1),
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """A match and its condition. The first rule that matches a packet wins: lowest priority, then order of creation."""

    match: Match = field(default=Match(), metadata=about("which traffic", flat=True))
    condition: Condition = field(default=Condition(), metadata=about("what is wrong", always=True))
    priority: int = field(
        default=0, metadata=about("rules with a lower number come first", example="10", minimum=-(2**31), maximum=2**31 - 1)
    )


@dataclass(frozen=True, slots=True)
class NetworkCondition:
    """A named set of rules on targets, with a lease and an owner."""

    name: str = field(default="default", metadata=about("its name, one of each on a target", example="slow-database"))
    targets: tuple[str, ...] = field(
        default=(), metadata=about("whose network: references such as docker:shop-api", example="docker:shop-api")
    )
    lease: Lease = field(
        default=DEFAULT_LEASE, metadata=about("for how long, or forever", unit="time", example="10m", always=True)
    )
    rules: tuple[Rule, ...] = field(default=(), metadata=about("the first that matches a packet wins", always=True))
    exclude: tuple[Match, ...] = field(default=(), metadata=about("traffic that no rule may touch", example="port=22"))
    owner: str = field(default="", metadata=about("who asked; others may not change it", example="alice@ci-7"))
    reason: str = field(default="", metadata=about("what for, in words", example="checkout must survive a slow database"))
    engine: Engine = field(default="auto", metadata=about("how lines are made; auto takes what fits", example="auto"))
