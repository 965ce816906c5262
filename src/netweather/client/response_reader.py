"""Documents of the API become what the engine answers: the other way round from engine.views.json_documents. Pure."""

from __future__ import annotations

import math
from typing import Any

from netweather.conditions import NetworkCondition, load
from netweather.engine import Cleared, Done, Listed, Live, RuleCounters, SetResult, Shown
from netweather.engine.views.before_after import Before, Experienced
from netweather.errors import NetweatherError, UsageError
from netweather.journal import Whose
from netweather.kernel.datapath.spec import RuleId
from netweather.kernel.sockets.sockdiag import PROTOCOLS, STATES, Socket, TcpInfo
from netweather.kernel.sockets.socket_owners import Holder
from netweather.measure import Evidence, Figure, Measured, Null, Verdict
from netweather.measure.statistics import Interval


def shown(document: dict[str, Any]) -> Shown:
    """A condition as it stands on one target."""
    status = document["status"]
    seconds = status["remainingSeconds"]
    return Shown(
        target=_target(status["target"]),
        condition=_condition(document),
        remaining_ns=None if seconds is None else round(seconds * 1e9),
        in_force=status["inForce"],
        problems=tuple(status["problems"]),
        interfaces=tuple(status["interfaces"]),
        peers=_peers(status["peers"]),
        rules=tuple(RuleCounters(**rule["counters"]) for rule in status["rules"]),
        unwanted_drops=status["unwantedDrops"],
        engine=status["engine"],
        engines=tuple(status["engines"]),
        queue_drops=status["queueDrops"],
        hook=status["hook"],
        notes=tuple(status["notes"]),
        lived=_lived(status["rules"]),
    )


def _lived(rules: list[dict[str, Any]]) -> tuple[Experienced | None, ...] | None:
    if not all("experienced" in rule for rule in rules):
        return None
    return tuple(each and _experienced(each) for each in (rule["experienced"] for rule in rules))


def _experienced(item: dict[str, Any]) -> Experienced:
    rtt, rate = item["rttSeconds"], item["deliveryRateBitsPerSecond"]
    before, now = (None if each is None else each * 1e6 for each in (rtt["before"], rtt["now"]))
    counts = item["connections"]
    return Experienced(
        counts["now"], counts["fromBefore"], before, now, item["retransmits"], rate["before"], rate["now"],
        item["goodputBitsPerSecond"],
    )  # fmt: skip


def done(document: dict[str, Any]) -> Done:
    """A condition that was set, on all of its targets."""
    condition, targets = _condition(document), document["status"]["targets"]
    results = tuple(
        SetResult(
            target=_target(each["target"]),
            condition=condition,
            operations=(),
            changed=each["changed"],
            peers=_peers(each["peers"]),
            interfaces=tuple(each["interfaces"]),
            engines=tuple(each["engines"]),
            plan=tuple(each.get("plan", ())),
        )
        for each in targets
    )
    proofs = tuple(evidence(each) for each in document["status"].get("evidence", ()))
    return Done(condition, results, tuple(tuple(each["notes"]) for each in targets), proofs)


def cleared(item: dict[str, Any]) -> Cleared:
    """What ended on one target, or why not."""
    wrong = item.get("problem")
    error = problem(wrong, usage=False) if wrong else None
    return Cleared(item["target"], tuple(item["cleared"]), error, item.get("drainingPackets", 0), item.get("droppedPackets", 0))


def evidence(document: dict[str, Any]) -> Evidence:
    """Evidence without the series that plots need."""
    requested = {key: value for key, value in document["requested"].items() if key != "expected"}
    kernel = {key: value for key, value in document["kernel"].items() if key not in ("problems", "verdict")}
    measured = tuple(
        Measured(
            each["rule"],
            each["probe"],
            tuple(map(_figure, each["fields"])),
            each["counterMoved"],
            null=tuple(map(_null, each.get("null", ()))),
        )
        for each in document["measured"]
    )
    expected, problems = tuple(document["requested"]["expected"]), tuple(document["kernel"]["problems"])
    return Evidence(document["target"], document["name"], requested, expected, kernel, problems, measured)


def listed(document: dict[str, Any]) -> Listed:
    """The connections of one target."""
    return Listed(_target(document["target"]), tuple(map(_live, document["connections"])))


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


def problem(document: dict[str, Any], *, usage: bool) -> NetweatherError:
    """The error that a problem object tells. usage: the request itself was wrong."""
    kind = UsageError if usage else NetweatherError
    return kind(str(document["code"]), str(document["title"]), str(document["detail"]), str(document["remedy"]))


def _condition(document: dict[str, Any]) -> NetworkCondition:
    return load({key: value for key, value in document.items() if key != "status"})


def _target(target: dict[str, Any]) -> Whose:
    dev, _, ino = target["identity"].partition("-")
    return Whose(target["reference"], target["name"], int(dev), int(ino), None, None, target["runtime"])


def _peers(peers: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {word: tuple(prefixes) for word, prefixes in peers.items()}


def _null(item: dict[str, Any]) -> Null:
    return Null(item["direction"], item["seen"], _interval(item["interval"]), item["samples"], item["lost"], item["why"])


def _interval(between: list[float | None] | None) -> Interval | None:
    """None within is an end that is nowhere."""
    if between is None:
        return None
    low, high = between
    return Interval(-math.inf if low is None else low, math.inf if high is None else high)


def _figure(field: dict[str, Any]) -> Figure:
    return Figure(
        field["field"],
        field["direction"],
        field["unit"],
        field["asked"],
        field["seen"],
        _interval(field["interval"]),
        Verdict(field["verdict"]),
        field["samples"],
        field["why"],
        field.get("without"),
        field.get("error"),
    )
