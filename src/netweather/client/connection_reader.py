"""Documents of the API become the connections of a target. Pure."""

from __future__ import annotations

from typing import Any

from netweather.client.response_reader import target_of
from netweather.engine import Listed, Live
from netweather.kernel.datapath.spec import RuleId
from netweather.kernel.sockets.sockdiag import PROTOCOLS, STATES, Socket, TcpInfo
from netweather.kernel.sockets.socket_owners import Holder
from netweather.results import Before


def listed(document: dict[str, Any]) -> Listed:
    """The connections of one target."""
    return Listed(target_of(document["target"]), tuple(map(_live, document["connections"])))


def _live(item: dict[str, Any]) -> Live:
    local, remote, queues, rules = item["local"], item["remote"], item["queues"], item["rules"]
    protocol, state = PROTOCOLS[item["protocol"]], item["state"]
    one = Socket(
        protocol, STATES.index("closed" if state == "unconnected" else state), local["address"], local["port"], remote["address"],
        remote["port"], queues["receive"], queues["send"], item["uid"], item["inode"], 0, b"", _tcp_info(item["tcp"]),
    )  # fmt: skip
    egress, ingress = (RuleId(**rules[way]) if rules[way] else None for way in ("egress", "ingress"))
    holder = Holder(**item["process"]) if item["process"] else None
    return Live(one, holder, egress, ingress, _before(item.get("before")))


def _before(item: dict[str, Any] | None) -> Before | None:
    if item is None:
        return None
    rtt, rate = item["rttSeconds"], item["deliveryRateBitsPerSecond"]
    return Before(
        None if rtt is None else round(rtt * 1e6),
        item["retransmits"],
        item["bytes"],
        None if rate is None else rate // 8,
        item["secondsAgo"],
    )


def _tcp_info(tcp: dict[str, Any] | None) -> TcpInfo | None:
    if tcp is None:
        return None

    def microseconds(key: str) -> int | None:
        return None if tcp[key] is None else round(tcp[key] * 1e6)

    return TcpInfo(
        retransmits=tcp["retransmitsNow"],
        rto=microseconds("rtoSeconds") or 0,
        lost=tcp["lost"],
        rtt=microseconds("rttSeconds"),
        rtt_variation=microseconds("rttVariationSeconds") or 0,
        congestion_window=tcp["congestionWindow"],
        total_retransmits=tcp["retransmits"],
        bytes_acked=tcp["bytesAcked"],
        bytes_received=tcp["bytesReceived"],
        min_rtt=microseconds("minRttSeconds"),
        delivery_rate=tcp["deliveryRateBitsPerSecond"] // 8,
        bytes_sent=tcp["bytesSent"],
        bytes_retransmitted=tcp["bytesRetransmitted"],
        application_limited=tcp.get("applicationLimited", False),
    )
