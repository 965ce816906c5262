"""Which rule a whole connection meets, told for many of them: the tables that the classifier has, looked up as it does.

Its packets are taken for TCP's ordinary ones (ACK set) without a VLAN. Pure; `vectors.first_match` says the same rule by rule.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from netweather.kernel.datapath.spec import Action, Datapath, ExactConnection, FlatRule, Interface
from netweather.planning.vectors import WITH_PORTS, Packet, compile_tables, wide

_ACK: Final = 16
_ALL: Final = 2**64 - 1
_FLOW, _SHARE, _LAST = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class Matcher:
    """The rules of one target, looked up for its connections."""

    def __init__(self, rules: tuple[FlatRule, ...], interfaces: tuple[Interface, ...]) -> None:
        self.rules = rules
        self.tables = compile_tables(rules, interfaces)
        prefixes = self.tables.peers
        lengths = {version: sorted({p.prefixlen for p in prefixes if p.version == version}, reverse=True) for version in (4, 6)}
        self._lengths = {version: [(32 if version == 4 else 128) - n for n in found] for version, found in lengths.items()}
        self._peers = {(p.version, p.prefixlen, int(p.network_address)): vector for p, vector in prefixes.items()}
        self._of_peer = lru_cache(1 << 16)(self._accepting)
        self._alone = bool(self.tables.connections) or any(rule.share is not None for rule in rules)
        self._known: dict[tuple[object, ...], int | None] = {}

    def met(self, packet: Packet) -> int | None:
        """The index of the rule that a connection's packets of this interface and direction meet; None: they meet none."""
        if self._alone:  # each connection has an answer of its own
            return self._first(packet)
        ports = self.tables.ports
        alike = (0, 0) if ports is None else (ports[packet.local_port], ports[packet.remote_port])
        key = (packet.slot, packet.direction, packet.protocol, packet.remote, alike)
        if key not in self._known:
            self._known[key] = self._first(packet)
        return self._known[key]

    def _first(self, packet: Packet) -> int | None:
        found = self._candidates(packet)
        start = 0
        while found >> start:
            index = (found >> start & -(found >> start)).bit_length() - 1 + start
            rule = self.rules[index]
            if _refuses(rule, packet):
                start = index + 1
            elif rule.action is Action.SKIP:
                start = rule.skip_to
            else:
                return index
        return None

    def _candidates(self, packet: Packet) -> int:
        """A bit for each rule whose dimensions all accept it."""
        tables = self.tables
        here = tables.vectors[tables.places.get((packet.slot, packet.direction), 0)]
        found = here & self._of_peer(packet.remote)
        if tables.protocols is not None:
            found &= tables.vectors[tables.protocols[packet.protocol]]
        if tables.ports is not None:
            vectors, ports = tables.vectors, tables.ports
            has = packet.protocol in WITH_PORTS
            found &= (
                vectors[ports[packet.local_port]] | vectors[ports[packet.remote_port]] if has else vectors[tables.without_ports]
            )
        if tables.connections:
            found |= here & self._exact(packet)
        return found

    def _accepting(self, remote: str) -> int:
        """The rules that accept this other end: those of the longest prefix around it."""
        if not self._peers:
            return (1 << len(self.rules)) - 1
        address = ip_address(remote)
        number = int(address)
        bits = 32 if address.version == 4 else 128
        for free in self._lengths[address.version]:
            vector = self._peers.get((address.version, bits - free, number >> free << free))
            if vector is not None:
                return self.tables.vectors[vector]
        return 0

    def _exact(self, packet: Packet) -> int:
        local, remote = (wide(packet.local), packet.local_port), (wide(packet.remote), packet.remote_port)
        rule = self.tables.connections.get(ExactConnection(packet.protocol, local, remote))
        return 0 if rule is None else 1 << rule


def _refuses(rule: FlatRule, packet: Packet) -> bool:
    """What the tables cannot say."""
    if rule.tcp_flags is not None and (packet.protocol != 6 or _ACK & rule.tcp_flags[0] != rule.tcp_flags[1]):
        return True
    if rule.vlan:
        return True
    return rule.share is not None and share_hash(flow_hash(packet), rule.share_seed) >= rule.share


def flow_hash(packet: Packet) -> int:
    """The classifier's hash of a connection, the same for both directions (bpf/classify/classify.bpf.c)."""
    return sum(
        _end(wide(address), port, packet.protocol)
        for address, port in ((packet.local, packet.local_port), (packet.remote, packet.remote_port))
    ) & _ALL  # fmt: skip


def _end(address: bytes, port: int, protocol: int) -> int:
    value = int.from_bytes(port.to_bytes(2, "big"), sys.byteorder) << 32 ^ protocol
    for place in range(0, 16, 4):
        value = (value ^ int.from_bytes(address[place : place + 4], sys.byteorder)) * _FLOW & _ALL
        value ^= value >> 29
    return value


def share_hash(flow: int, seed: int) -> int:
    """What is compared with a share, of 2**32."""
    value = flow ^ (seed * _SHARE & _ALL)
    value = (value ^ value >> 30) * _SHARE & _ALL
    value = (value ^ value >> 27) * _LAST & _ALL
    return value >> 32


__all__ = ["Matcher", "flow_hash", "share_hash"]


MOST = 20
"""So many are told of; a list of hundreds helps nobody."""


def overlaps(datapath: Datapath, leases: dict[str, int]) -> list[str]:
    """Sentences for pairs of rules whose traffic can be the same. leases: the slot of each condition's name."""
    names = {slot: name for name, slot in leases.items()}
    told: dict[tuple[int, int], str] = {}
    rules = [rule for rule in datapath.rules if rule.action is not Action.SKIP]
    for at, first in enumerate(rules):
        for second in rules[at + 1 :]:
            pair = (first.lease, second.lease)
            if first.lease == second.lease or pair in told or not can_meet(first, second):
                continue
            told[pair] = f"{names[first.lease]!r} comes before {names[second.lease]!r} for the traffic that both match"
            if len(told) >= MOST:
                return list(told.values())
    return list(told.values())


def can_meet(a: FlatRule, b: FlatRule) -> bool:
    """Whether some packet could match both; errs on the side of yes (shares, TCP flags and VLANs are not compared)."""
    if not a.places & b.places or (a.family and b.family and a.family != b.family):
        return False
    if a.protocols is not None and b.protocols is not None and not a.protocols & b.protocols:
        return False
    if a.ports and b.ports and not any(x[0] <= y[1] and y[0] <= x[1] for x in a.ports for y in b.ports):
        return False
    if a.connections and b.connections:
        return bool(set(a.connections) & set(b.connections))
    if a.peers is not None and b.peers is not None:
        return any(x.version == y.version and x.overlaps(y) for x in a.peers for y in b.peers)
    return True
