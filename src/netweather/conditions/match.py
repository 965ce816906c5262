"""Which traffic: peers, ports, protocol, family, one connection, a share of connections.

What is given must all hold; what isn't given doesn't matter. Match() is all traffic of the target, except loopback.
Not here: resolving peers (targets/), and turning a match into bit vectors (planning/).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from netweather.conditions.declare import about
from netweather.errors import UsageError
from netweather.units import Percent

Direction = Literal["egress", "ingress", "both"]
Family = Literal["ipv4", "ipv6"]
Protocol = Literal["tcp", "udp", "icmp", "sctp"] | int
NAMED_PROTOCOLS: Final[dict[int, Literal["tcp", "udp", "icmp", "sctp"]]] = {6: "tcp", 17: "udp", 1: "icmp", 132: "sctp"}
TCP_FLAGS: Final = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128}


@dataclass(frozen=True, slots=True, order=True)
class PortRange:
    """Ports `first` to `last`, both within; one port when they are equal. Raises UsageError bad-port."""

    first: int
    last: int

    def __post_init__(self) -> None:
        for port in (self.first, self.last):
            if type(port) is not int or not 0 <= port <= 65535:
                raise UsageError("bad-port", f"{port!r} is not a port", "ports are whole numbers from 0 to 65535", "write 5432")
        if self.first > self.last:
            why = "the range ends before it starts"
            raise UsageError("bad-port", f"'{self}' is not a range of ports", why, f"write {self.last}-{self.first}")

    @classmethod
    def parse(cls, text: str) -> PortRange:
        """Read '5432' or '6000-6010'."""
        found = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", text.strip(), re.ASCII)
        if found is None:
            why = "a number from 0 to 65535, or two with a hyphen, is needed"
            raise UsageError("bad-port", f"{text[:60]!r} is not a port", why, "write 5432 or 6000-6010")
        return cls(int(found[1]), int(found[2] or found[1]))

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True, order=True)
class Connection:
    """One connection by both of its ends; which end is the target's doesn't matter. Raises UsageError bad-connection."""

    a_addr: str
    a_port: int
    b_addr: str
    b_port: int

    def __post_init__(self) -> None:
        from ipaddress import ip_address

        try:
            a, b = ip_address(self.a_addr), ip_address(self.b_addr)
            PortRange(self.a_port, self.a_port), PortRange(self.b_port, self.b_port)
        except (ValueError, UsageError) as error:
            raise _bad_connection(f"{self.a_addr}:{self.a_port}-{self.b_addr}:{self.b_port}", str(error)) from error
        if a.version != b.version:
            raise _bad_connection(str(self), "one end is IPv4 and the other IPv6")
        object.__setattr__(self, "a_addr", str(a))
        object.__setattr__(self, "b_addr", str(b))

    @classmethod
    def parse(cls, text: str) -> Connection:
        """Read '192.0.2.1:40000-192.0.2.2:80' or '[2001:db8::1]:40000-[2001:db8::2]:80'."""
        end = r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})"
        found = re.fullmatch(f"{end}-{end}", text.strip(), re.ASCII)
        if found is None:
            raise _bad_connection(text[:120], "two addresses with their ports and a hyphen between them are needed")
        return cls(found[1] or found[2], int(found[3]), found[4] or found[5], int(found[6]))

    @property
    def family(self) -> Family:
        return "ipv6" if ":" in self.a_addr else "ipv4"

    def __str__(self) -> str:
        ends = ((self.a_addr, self.a_port), (self.b_addr, self.b_port))
        return "-".join(f"[{addr}]:{port}" if ":" in addr else f"{addr}:{port}" for addr, port in ends)


def _bad_connection(text: str, why: str) -> UsageError:
    return UsageError("bad-connection", f"{text!r} is not a connection", why, "write 192.0.2.1:40000-192.0.2.2:80")


@dataclass(frozen=True, slots=True, order=True)
class TcpFlags:
    """TCP packets whose flags, looked at through `mask`, are `value`. Raises UsageError bad-tcp-flags."""

    mask: int
    value: int

    def __post_init__(self) -> None:
        if not 0 < self.mask <= 255 or self.value & ~self.mask:
            why = "the mask must name a flag, and the value none beyond it"
            raise UsageError("bad-tcp-flags", f"{self.mask}/{self.value} are not TCP flags", why, "write syn or syn+!ack")

    @classmethod
    def parse(cls, text: str) -> TcpFlags:
        """Read 'syn' (set), '!ack' (not set) and both, 'syn+!ack'."""
        mask = value = 0
        for word in text.strip().lower().split("+"):
            bit = TCP_FLAGS.get(word.removeprefix("!"), 0)
            if not bit or mask & bit:
                why = f"{word!r} is given twice" if bit else f"the flags are {', '.join(TCP_FLAGS)}"
                raise UsageError("bad-tcp-flags", f"{text[:60]!r} are not TCP flags", why, "write syn or syn+!ack")
            mask |= bit
            value |= 0 if word.startswith("!") else bit
        return cls(mask, value)

    def __str__(self) -> str:
        return "+".join(("" if self.value & bit else "!") + name for name, bit in TCP_FLAGS.items() if self.mask & bit)


@dataclass(frozen=True, slots=True)
class Match:
    """Which traffic of the target. A protocol number that has a name is stored as the name (6 becomes tcp)."""

    to: tuple[str, ...] = field(
        default=(),
        metadata=about("the peer: any of these addresses, prefixes, host names or targets", example="docker:shop-db"),
    )
    ports: tuple[PortRange, ...] = field(
        default=(), metadata=about("source or destination port: any of these ports or ranges", example="6000-6010")
    )
    protocol: Protocol | None = field(
        default=None,
        metadata=about("tcp, udp, icmp (of either family), sctp or a protocol number", example="tcp", minimum=0, maximum=255),
    )
    direction: Direction = field(
        default="both",
        metadata=about(
            "direction as seen from the target; with both, each direction gets the whole condition", example="egress", always=True
        ),
    )
    family: Family | None = field(default=None, metadata=about("only this address family", example="ipv6"))
    connection: Connection | None = field(
        default=None, metadata=about("only the connection with these two ends", example="192.0.2.1:40000-192.0.2.2:80")
    )
    share: Percent | None = field(
        default=None,
        metadata=about("only this share of all connections, chosen by a hash of the connection", unit="percent", example="10%"),
    )
    tcp_flags: TcpFlags | None = field(
        default=None, metadata=about("only TCP packets with these flags set; ! means not set", example="syn+!ack")
    )
    interfaces: tuple[str, ...] = field(
        default=(), metadata=about("only these interfaces; default: all except loopback and tunnels", example="eth0")
    )
    vlan: int | None = field(default=None, metadata=about("only packets of this VLAN", example="100", minimum=0, maximum=4094))

    def __post_init__(self) -> None:
        if isinstance(self.protocol, int) and not isinstance(self.protocol, bool):
            object.__setattr__(self, "protocol", NAMED_PROTOCOLS.get(self.protocol, self.protocol))


Exclude = Match
"""Traffic that no rule may touch: a match without a condition."""


EXCLUSIONS: Final = {
    "dns": Match(ports=(PortRange(53, 53), PortRange(853, 853), PortRange(5353, 5353))),
    "probes": Match(to=("host",)),
    "ssh": Match(ports=(PortRange(22, 22),), protocol="tcp"),
}
