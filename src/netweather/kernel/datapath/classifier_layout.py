"""The classifier's tables as bytes: the layout of bpf/classify/classify.h, bpf/steer/steer.h and bpf/return/return.h.

A test compiles the headers and compares every size and offset. Pure.
"""

from __future__ import annotations

import struct

from netweather.kernel.datapath.spec import MAX_INTERFACES, MAX_LEASES, ExactConnection, FlatRule, RulePrefix

CONTROL = struct.Struct("=IIQII")
SET = struct.Struct("=IIHH4xQ")
SETS_AT, LEASES_AT = CONTROL.size, CONTROL.size + 2 * SET.size
CONTROL_SIZE = LEASES_AT + 8 * MAX_LEASES
RULE = struct.Struct(f"=BBHIIIIBBH{2 * MAX_INTERFACES}s")
BITS = 128
IDS = 8
COUNTER = struct.Struct("=QQQ")
INTERFACE = struct.Struct("=I4HI")
UPPER, LAYER3 = 1, 2
CONNECTION = struct.Struct("=IB3xHH16s16s")
DESTINATION = struct.Struct("=II")
NO_LINE = 0xFF
SET_PORTS, SET_CONNECTIONS, SET_PEERS, SET_PROTOCOLS, SET_SHARE = 1, 2, 4, 8, 16
RULE_HEARTBEAT, RULE_SHARE, RULE_TCP_FLAGS, RULE_VLAN = 1, 2, 4, 8


def rule_bytes(rule: FlatRule) -> bytes:
    """struct nw_rule."""
    flags = (
        RULE_HEARTBEAT * rule.heartbeat
        | RULE_SHARE * (rule.share is not None)
        | RULE_TCP_FLAGS * (rule.tcp_flags is not None)
        | RULE_VLAN * (rule.vlan is not None)
    )
    lines = bytearray([NO_LINE]) * (2 * MAX_INTERFACES)
    for (slot, direction), line in rule.lines:
        lines[2 * slot + direction] = line
    mask, value = rule.tcp_flags or (0, 0)
    share = rule.share or 0
    return RULE.pack(
        rule.action,
        flags,
        rule.lease,
        rule.counter,
        rule.skip_to,
        share,
        rule.share_seed,
        mask,
        value,
        rule.vlan or 0,
        bytes(lines),
    )


def peer_key(prefix: RulePrefix, generation: int) -> bytes:
    """struct nw_peer4 or nw_peer6: the generation is the first 32 bits of the prefix."""
    return struct.pack("=II", 32 + prefix.prefixlen, generation) + prefix.network_address.packed


def connection_key(connection: ExactConnection, generation: int) -> bytes:
    """struct nw_connection; ports in network order."""
    (local, local_port), (remote, remote_port) = connection.local, connection.remote
    swap = int.from_bytes
    return CONNECTION.pack(
        generation,
        connection.protocol,
        swap(local_port.to_bytes(2, "big"), "little"),
        swap(remote_port.to_bytes(2, "big"), "little"),
        local,
        remote,
    )
