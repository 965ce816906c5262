"""Documents of `connections` and `reset`: the sockets of a target. Times in seconds, sizes in bytes."""

from __future__ import annotations

from typing import Any, Final

from netweather.engine import SocketInfo, TargetSockets
from netweather.kernel.datapath.spec import RuleId
from netweather.kernel.sockets.sockdiag import PROTOCOLS, STATES, Socket, TcpInfo
from netweather.kernel.sockets.socket_owners import Holder
from netweather.results import Before
from netweather.wire.condition_documents import TARGET
from netweather.wire.schema_types import (
    FLAG,
    TEXT,
    WHOLE,
    ListOf,
    Nullable,
    ObjectType,
    Property,
    Scalar,
    choice,
    computed,
    group,
    items,
    of,
    scaled,
)

_WHOLE_MICROSECONDS: Final = scaled(1e6, whole=True)
_BITS: Final = Scalar({"type": "integer"}, lambda octets: octets * 8, lambda bits: bits // 8)
"""Bytes a second in Python, bits a second on the wire."""

_TCP: Final = ObjectType(
    "TcpFigures",
    "What the kernel's TCP knows of a connection.",
    TcpInfo,
    {
        "rttSeconds": of("rtt", Nullable(_WHOLE_MICROSECONDS)),
        "rttVariationSeconds": of("rtt_variation", _WHOLE_MICROSECONDS),
        "minRttSeconds": of("min_rtt", Nullable(_WHOLE_MICROSECONDS)),
        "rtoSeconds": of("rto", _WHOLE_MICROSECONDS),
        "congestionWindow": of("congestion_window", WHOLE),
        "lost": of("lost", WHOLE),
        "retransmitsNow": of("retransmits", WHOLE),
        "retransmits": of("total_retransmits", WHOLE),
        "bytesSent": of("bytes_sent", WHOLE),
        "bytesAcked": of("bytes_acked", WHOLE),
        "bytesReceived": of("bytes_received", WHOLE),
        "bytesRetransmitted": of("bytes_retransmitted", WHOLE),
        "deliveryRateBitsPerSecond": of("delivery_rate", _BITS),
        "applicationLimited": of("application_limited", FLAG, "the rate says how little the application sent"),
    },
)
_BEFORE: Final = ObjectType(
    "ConnectionBefore",
    "A connection, when the condition that it matches was set.",
    Before,
    {
        "rttSeconds": of("rtt", Nullable(_WHOLE_MICROSECONDS)),
        "retransmits": of("retransmits", WHOLE),
        "bytes": of("bytes", WHOLE),
        "deliveryRateBitsPerSecond": of("rate", Nullable(_BITS)),
        "secondsAgo": of("seconds_ago", Scalar({"type": "number"})),
    },
)
_RULE: Final = ObjectType(
    "RuleId", "A rule of a condition.", RuleId, {"condition": of("condition", TEXT), "rule": of("rule", WHOLE)}
)
_PROCESS: Final = ObjectType(
    "SocketProcess", "The process that owns a socket.", Holder, {"pid": of("pid", WHOLE), "name": of("name", TEXT)}
)


def _state(word: str) -> dict[str, Any]:
    return {"state": STATES.index("closed" if word == "unconnected" else word)}


def _live(
    holder: Holder | None, egress: RuleId | None, ingress: RuleId | None, before: Before | None, **socket: Any
) -> SocketInfo:
    return SocketInfo(Socket(**socket, family=0, key=b""), holder, egress, ingress, before)


CONNECTION: Final = ObjectType(
    "Connection",
    "One socket of a target.",
    _live,
    {
        "connection": computed(TEXT, lambda live: live.connection, "as --connection takes it"),
        "protocol": Property(choice(*PROTOCOLS), lambda live: live.protocol, lambda word: {"protocol": PROTOCOLS[word]}),
        "state": Property(choice(*STATES[1:], "unconnected"), lambda live: live.state, _state),
        "local": group({"address": of("socket.local", TEXT), "port": of("socket.local_port", WHOLE)}),
        "remote": group({"address": of("socket.remote", TEXT), "port": of("socket.remote_port", WHOLE)}),
        "process": of("holder", Nullable(_PROCESS)),
        "uid": of("socket.uid", WHOLE),
        "inode": of("socket.inode", WHOLE),
        "queues": group({"receive": of("socket.receive_queue", WHOLE), "send": of("socket.send_queue", WHOLE)}),
        "rules": group({"egress": of("egress", Nullable(_RULE)), "ingress": of("ingress", Nullable(_RULE))}),
        "tcp": of("socket.info", Nullable(_TCP)),
        "before": of("before", Nullable(_BEFORE), "null: it is younger than the condition"),
    },
)
CONNECTIONS: Final = ObjectType(
    "TargetConnections",
    "The connections of one target.",
    TargetSockets,
    {"target": of("target", TARGET), "connections": of("connections", ListOf(CONNECTION))},
)
CONNECTION_ITEMS: Final = items(CONNECTIONS, "ConnectionItems", "Connections, by target.")
