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
EngineName = Literal["auto", "netem", "pump"]
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
    """Every packet is delayed by `time`, and the delay varies by `jitter`."""

    SHORT: ClassVar[str] = "time"
    time: Duration = field(metadata=about("added delay of each packet", unit="time", example="100ms"))
    jitter: Duration = field(
        default=NO_TIME,
        metadata=about(
            "random variation of the delay: ±TIME if uniform, one standard deviation otherwise", unit="time", example="20ms"
        ),
    )
    correlation: Percent = field(
        default=NEVER,
        metadata=about("correlation of a packet's delay with the packet before", unit="percent", example="25%", needs="jitter"),
    )
    distribution: str = field(
        default="uniform",
        metadata=about(
            "distribution of the jitter: uniform, normal, pareto, paretonormal, or your own table: "
            "a path that contains a /, or the text of the table",
            example="normal",
            needs="jitter",
        ),
    )
    keep_order: bool = field(default=False, metadata=about("keep the order of packets in spite of jitter", example="true"))

    @property
    def table(self) -> str | None:
        """The path of the table, or its contents, when the distribution is none of those with a name."""
        return None if self.distribution in DISTRIBUTIONS else self.distribution


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Packets that arrive twice."""

    SHORT: ClassVar[str] = "percent"
    percent: Percent = field(metadata=about("share of packets that are duplicated", unit="percent", example="1%"))
    correlation: Percent = field(
        default=NEVER, metadata=about("correlation with the packet before", unit="percent", example="25%")
    )


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Packets that arrive with one flipped bit."""

    SHORT: ClassVar[str] = "percent"
    percent: Percent = field(metadata=about("share of packets with one flipped bit", unit="percent", example="0.1%"))
    correlation: Percent = field(
        default=NEVER, metadata=about("correlation with the packet before", unit="percent", example="25%")
    )


@dataclass(frozen=True, slots=True)
class Reorder:
    """Packets that overtake: they are sent immediately while the others wait for the delay. Needs a delay."""

    SHORT: ClassVar[str] = "percent"
    percent: Percent = field(
        default=ALWAYS,
        metadata=about("share of packets that skip the delay and so overtake others", unit="percent", example="5%", always=True),
    )
    correlation: Percent = field(
        default=NEVER, metadata=about("correlation with the packet before", unit="percent", example="25%")
    )
    gap: int = field(
        default=1,
        metadata=about("only every Nth packet may overtake", unit="packets", example="5", minimum=1, maximum=2**32 - 1),
    )


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `bitrate`, for each interface and each direction separately. Packets above this rate wait in the queue."""

    SHORT: ClassVar[str] = "bitrate"
    bitrate: Rate = field(
        metadata=about("maximum rate in bits per second; 0 means no limit, as in netem", unit="rate", example="2mbit")
    )
    overhead: int = field(
        default=0,
        metadata=about(
            "bytes added to each packet's size when the rate is applied, such as the link's header; may be negative",
            unit="bytes",
            example="14",
            minimum=-(2**15),
            maximum=2**15,
        ),
    )


@dataclass(frozen=True, slots=True)
class Slot:
    """Packets arrive in batches: they wait for the next slot and are then sent together."""

    SHORT: ClassVar[str] = "minimum"
    minimum: Duration = field(
        metadata=about("the shortest time between two slots", unit="time", example="10ms", aliases=("min",))
    )
    maximum: Duration | None = field(
        default=None,
        metadata=about(
            "the longest time between two slots; default: the shortest", unit="time", example="20ms", aliases=("max",)
        ),
    )
    packets: Packets | None = field(
        default=None, metadata=about("maximum number of packets per slot", unit="packets", example="32")
    )
    bytes: Size | None = field(default=None, metadata=about("maximum number of bytes per slot", unit="size", example="64kb"))


@dataclass(frozen=True, slots=True)
class Condition:
    """How the network is degraded. All given fields apply together."""

    profile: str | None = field(
        default=None, metadata=about("a named condition; the other fields override parts of it", example="3g")
    )
    delay: Delay | None = field(default=None, metadata=about("packets are delayed", example="100ms"))
    loss: Loss | None = field(default=None, metadata=about("packets are lost", example="1%"))
    duplicate: Duplicate | None = field(default=None, metadata=about("packets are duplicated", example="1%"))
    corrupt: Corrupt | None = field(default=None, metadata=about("packets arrive with one flipped bit", example="0.1%"))
    reorder: Reorder | None = field(default=None, metadata=about("packets overtake others", example="5%"))
    rate: RateLimit | None = field(default=None, metadata=about("the rate is limited", example="10mbit"))
    limit: Limit | None = field(
        default=None,
        metadata=about(
            "length of the queue in packets, in bytes, or as the time to send it at the rate; default: computed from rate and delay",
            example="1000",
        ),
    )
    queue: Queue | None = field(
        default=None,
        metadata=about(
            "queue management: drop the newest packet if full (droptail), CoDel (codel), or CoDel with ECN marks (ecn)",
            example="codel",
        ),
    )
    slot: Slot | None = field(default=None, metadata=about("packets arrive in batches", example="10ms"))
    ecn: bool = field(default=False, metadata=about("mark ECN-capable packets instead of dropping them", example="true"))
    block: Block | None = field(
        default=None,
        metadata=about("block all packets: silently (drop), or with an error to the sender (reject)", example="drop"),
    )
    mtu: int | None = field(
        default=None,
        metadata=about(
            "drop larger packets silently: a path MTU black hole",
            unit="bytes",
            example="1300",
            minimum=68,
            maximum=65535,
        ),
    )
    trace: str | None = field(
        default=None,
        metadata=about(
            "trace of rate, delay and loss over time: the path of a file, or its text (docs/traces.md)", example="./train.trace"
        ),
    )
    seed: int | None = field(
        default=None,
        metadata=about(
            "seed of the random choices; the same seed drops the same packets", example="7", minimum=0, maximum=2**64 - 1
        ),
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule degrades the traffic that it matches. The first rule that matches a packet wins: lowest priority, then order of creation."""

    match: Match = field(default=Match(), metadata=about("the traffic that the rule matches", flat=True))
    condition: Condition = field(default=Condition(), metadata=about("how that traffic is degraded", always=True))
    priority: int = field(
        default=0,
        metadata=about("a rule with a lower number is matched first", example="10", minimum=-(2**31), maximum=2**31 - 1),
    )


@dataclass(frozen=True, slots=True)
class NetworkCondition:
    """A named set of rules on targets, with a lease and an owner."""

    name: str = field(default="default", metadata=about("the condition's name, unique on each target", example="slow-database"))
    targets: tuple[str, ...] = field(default=(), metadata=about("targets, such as docker:shop-api", example="docker:shop-api"))
    lease: Lease = field(
        default=DEFAULT_LEASE, metadata=about("how long the condition lasts, or forever", unit="time", example="10m", always=True)
    )
    rules: tuple[Rule, ...] = field(default=(), metadata=about("the first that matches a packet wins", always=True))
    exclude: tuple[Match, ...] = field(default=(), metadata=about("traffic that no rule affects", example="port=22"))
    owner: str = field(default="", metadata=about("owner of the condition; other owners may not change it", example="alice@ci-7"))
    reason: str = field(
        default="", metadata=about("purpose of the condition, free text", example="checkout must survive a slow database")
    )
    engine: EngineName = field(
        default="auto",
        metadata=about(
            "what delays and drops packets: the kernel's netem, Netweather's own pump, or auto, which chooses", example="auto"
        ),
    )
