"""Rules become bit vectors: for every value of a dimension (peer, port, protocol, interface and direction) the rules that accept it.

The classifier looks up one vector per dimension, ANDs them, and takes the first set bit: its cost hardly depends on the number
of rules. Pure; `matches` says the same rule by rule, slowly, and is what tests compare with.
"""

from __future__ import annotations

from array import array
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from netweather.errors import UsageError
from netweather.kernel.datapath.spec import MAX_RULES, Action, ExactConnection, FlatRule, Interface, RulePrefix, Tables

ANY4 = IPv4Network("0.0.0.0/0")
ANY6 = IPv6Network("::/0")
NOTHING = 0
"""The id of the empty vector."""
WITH_PORTS = frozenset({6, 17, 33, 132, 136})


class _Vectors:
    def __init__(self) -> None:
        self.ids = {0: NOTHING}

    def id(self, vector: int) -> int:
        return self.ids.setdefault(vector, len(self.ids))


def compile_tables(rules: tuple[FlatRule, ...], interfaces: tuple[Interface, ...]) -> Tables:
    """Compiles a list of rules, first match wins. Raises UsageError(code="too-many-rules")."""
    if len(rules) > MAX_RULES:
        raise UsageError("too-many-rules", f"{len(rules)} rules on one target", f"the maximum is {MAX_RULES}", "merge rules")
    vectors = _Vectors()
    general = [(i, r) for i, r in enumerate(rules) if r.connections is None]
    places = {
        (interface.slot, direction): vectors.id(
            sum(1 << i for i, rule in enumerate(rules) if (interface.slot, direction) in rule.places)
        )
        for interface in interfaces
        for direction in (0, 1)
    }
    without = sum(1 << i for i, rule in general if rule.ports is None)
    uses_ports = any(rule.ports is not None for rule in rules)
    uses_protocols = any(rule.protocols is not None for rule in rules)
    return Tables(
        rules=rules,
        peers=_peers(rules, vectors),
        places=places,
        protocols=_protocols(rules, vectors) if uses_protocols else None,
        ports=_ports(rules, without, vectors) if uses_ports else None,
        without_ports=vectors.id(without) if uses_ports else NOTHING,
        others=vectors.id(sum(1 << i for i, rule in general if _means_every_frame(rule))),
        connections=_connections(rules),
        vectors=tuple(vectors.ids),
    )


def _means_every_frame(rule: FlatRule) -> bool:
    """Whether a rule means frames in which there is no IP packet, too: nothing that it asks for needs one."""
    return not any((rule.family, rule.share is not None, rule.tcp_flags)) and all(
        asked is None for asked in (rule.peers, rule.ports, rule.protocols)
    )


def _peers(rules: tuple[FlatRule, ...], vectors: _Vectors) -> dict[RulePrefix, int]:
    """Longest prefix wins in the trie, so each prefix carries the rules of all the prefixes around it."""
    if all(rule.peers is None and rule.family is None and rule.connections is None for rule in rules):
        return {}
    accepts: dict[RulePrefix, int] = {ANY4: 0, ANY6: 0}
    for i, rule in enumerate(rules):
        if rule.connections is not None:
            continue
        for prefix in _prefixes(rule):
            accepts[prefix] = accepts.get(prefix, 0) | 1 << i
    lengths = {v: sorted({p.prefixlen for p in accepts if p.version == v}, reverse=True) for v in (4, 6)}
    for prefix in sorted(accepts, key=lambda p: p.prefixlen):
        wider = (prefix.supernet(new_prefix=n) for n in lengths[prefix.version] if n < prefix.prefixlen)
        nearest = next((w for w in wider if w in accepts), None)
        if nearest is not None:
            accepts[prefix] |= accepts[nearest]  # already complete: shorter ones come first
    return {prefix: vectors.id(vector) for prefix, vector in accepts.items()}


def _prefixes(rule: FlatRule) -> list[RulePrefix]:
    every: list[RulePrefix] = [ANY4, ANY6] if rule.peers is None else list(rule.peers)
    return [p for p in every if rule.family is None or p.version == rule.family]


def _protocols(rules: tuple[FlatRule, ...], vectors: _Vectors) -> array[int]:
    table = array("H", [0]) * 256
    for protocol in range(256):
        table[protocol] = vectors.id(
            sum(
                1 << i
                for i, rule in enumerate(rules)
                if rule.connections is None and (rule.protocols is None or protocol in rule.protocols)
            )
        )
    return table


def _ports(rules: tuple[FlatRule, ...], without: int, vectors: _Vectors) -> array[int]:
    changes: dict[int, int] = {0: 0}
    for i, rule in enumerate(rules):
        covered: set[tuple[int, int]] = set(rule.ports or ())
        for first, last in _merged(covered):
            changes[first] = changes.get(first, 0) ^ 1 << i
            changes[last + 1] = changes.get(last + 1, 0) ^ 1 << i
    table = array("H", [0]) * 65536
    listed = 0
    edges = sorted(changes)
    for start, end in zip(edges, [*edges[1:], 65536], strict=True):
        listed ^= changes[start]
        if start < 65536:
            table[start:end] = array("H", [vectors.id(without | listed)]) * (end - start)
    return table


def _merged(ranges: set[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _connections(rules: tuple[FlatRule, ...]) -> dict[ExactConnection, int]:
    found: dict[ExactConnection, int] = {}
    for i, rule in enumerate(rules):
        for connection in rule.connections or ():
            found.setdefault(connection, i)
    return found


class Packet(NamedTuple):
    """What the classifier looks at in a packet, for `matches` and for tests."""

    slot: int
    direction: int
    local: str
    remote: str
    protocol: int
    local_port: int = 0
    remote_port: int = 0


def first_match(rules: tuple[FlatRule, ...], packet: Packet) -> int | None:
    """The index of the rule that a packet meets, by trying one after the other; exclusions are followed."""
    start = 0
    for i, rule in enumerate(rules):
        if i < start or not matches(rule, packet):
            continue
        if rule.action is Action.SKIP:
            start = rule.skip_to
            continue
        return i
    return None


def matches(rule: FlatRule, packet: Packet) -> bool:
    """Whether one rule accepts a packet (share, TCP flags and VLAN aside, which need the packet itself)."""
    if (packet.slot, packet.direction) not in rule.places:
        return False
    remote = ip_address(packet.remote)
    if rule.connections is not None:
        return any(
            c.protocol == packet.protocol
            and c.local == (wide(packet.local), packet.local_port)
            and c.remote == (wide(packet.remote), packet.remote_port)
            for c in rule.connections
        )
    if rule.family is not None and remote.version != rule.family:
        return False
    if rule.peers is not None and not any(remote in p for p in rule.peers if p.version == remote.version):
        return False
    if rule.protocols is not None and packet.protocol not in rule.protocols:
        return False
    if rule.ports is None:
        return True
    ports = (packet.local_port, packet.remote_port)
    return packet.protocol in WITH_PORTS and any(first <= port <= last for first, last in rule.ports for port in ports)


def wide(address: str) -> bytes:
    """An address as 16 bytes, IPv4 as ::ffff:a.b.c.d."""
    parsed = ip_address(address)
    return parsed.packed if parsed.version == 6 else bytes(10) + b"\xff\xff" + parsed.packed


def normal_prefix(text: str) -> RulePrefix:
    """A prefix as the trie takes it: an IPv4-mapped IPv6 prefix is IPv4's."""
    prefix = ip_network(text, strict=False)
    if isinstance(prefix, IPv6Network) and prefix.network_address.ipv4_mapped and prefix.prefixlen >= 96:
        return ip_network(f"{prefix.network_address.ipv4_mapped}/{prefix.prefixlen - 96}")
    return prefix
