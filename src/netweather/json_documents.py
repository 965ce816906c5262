"""Network conditions with their status as plain data: what --json prints. One schema with YAML, the API and Kubernetes."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from netweather.conditions import FOREVER, dump
from netweather.units import Duration

if TYPE_CHECKING:
    from netweather.engine import Listed, Live
    from netweather.results import Done, Experienced, SetResult, Shown, Whose


def shown_document(shown: Shown, now: datetime) -> dict[str, Any]:
    """A condition as it stands on one target: `show --json` is a list of these. now: with a time zone."""
    status: dict[str, Any] = {
        "conditions": [_kubernetes_condition(shown)],
        "inForce": shown.in_force,
        "target": _target(shown.target),
        "engine": shown.engine,
        "engines": list(shown.engines),
        "hook": shown.hook,
        **_lease(shown.remaining_ns, now),
        "interfaces": list(shown.interfaces),
        "peers": {word: list(prefixes) for word, prefixes in shown.peers.items()},
        "problems": list(shown.problems),
        "notes": list(shown.notes),
        "unwantedDrops": shown.unwanted_drops,
        "queueDrops": shown.queue_drops,
        "rules": [{"counters": asdict(rule)} for rule in shown.rules],
    }
    for rule, lived in zip(status["rules"], shown.lived or (), strict=False):
        rule["experienced"] = lived and lived_document(lived)
    return {**dump(shown.condition), "status": status}


def lived_document(lived: Experienced) -> dict[str, Any]:
    """What the connections of one rule lived through."""
    return {
        "connections": {"now": lived.connections, "fromBefore": lived.known},
        "rttSeconds": {"before": _seconds(lived.rtt_before), "now": _seconds(lived.rtt)},
        "retransmits": lived.retransmits,
        "deliveryRateBitsPerSecond": {"before": lived.rate_before, "now": lived.rate},
        "goodputBitsPerSecond": lived.goodput,
    }


def _kubernetes_condition(shown: Shown) -> dict[str, str]:
    """The same as `inForce`, as tools of Kubernetes read it."""
    state, reason = ("True", "ReadBack") if shown.in_force else ("False", "NotInForce")
    return {"type": "InForce", "status": state, "reason": reason, "message": "; ".join(shown.problems)}


def done_document(done: Done, now: datetime, *, dry_run: bool) -> dict[str, Any]:
    """A condition that was set: on all of its targets, since one command line or document is one condition."""
    lease = done.condition.lease
    ns = None if lease is FOREVER or not isinstance(lease, Duration) else lease.ns
    status: dict[str, Any] = {
        "inForce": not dry_run,
        "dryRun": dry_run,
        **_lease(ns, now),
        "targets": [_on_target(result, list(notes), dry_run) for result, notes in zip(done.results, done.notes, strict=True)],
    }
    if done.evidence:
        status["evidence"] = [each.plain() for each in done.evidence]
    return {**dump(done.condition), "status": status}


def _on_target(result: SetResult, notes: list[str], dry_run: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "target": _target(result.target),
        "changed": result.changed,
        "engines": list(result.engines),
        "interfaces": list(result.interfaces),
        "peers": {word: list(prefixes) for word, prefixes in result.peers.items()},
        "notes": notes,
    }
    if dry_run:
        found["plan"] = list(result.plan)
    return found


def listed(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """The one document, or several as a Kubernetes List; `set -f` reads either."""
    return documents[0] if len(documents) == 1 else {"apiVersion": "v1", "kind": "List", "items": documents}


def connections_document(listed: Listed) -> dict[str, Any]:
    """The connections of one target: `connections --json` is a list of these. Times in seconds, sizes in bytes."""
    return {"target": _target(listed.target), "connections": [_live(each) for each in listed.connections]}


def _live(live: Live) -> dict[str, Any]:
    one, info = live.socket, live.socket.info
    tcp = None if info is None else {
        "rttSeconds": _seconds(info.rtt),
        "rttVariationSeconds": _seconds(info.rtt_variation),
        "minRttSeconds": _seconds(info.min_rtt),
        "rtoSeconds": _seconds(info.rto),
        "congestionWindow": info.congestion_window,
        "lost": info.lost,
        "retransmitsNow": info.retransmits,
        "retransmits": info.total_retransmits,
        "bytesSent": info.bytes_sent,
        "bytesAcked": info.bytes_acked,
        "bytesReceived": info.bytes_received,
        "bytesRetransmitted": info.bytes_retransmitted,
        "deliveryRateBitsPerSecond": info.delivery_rate * 8,
        "applicationLimited": info.application_limited,
    }  # fmt: skip
    met = {"egress": live.egress, "ingress": live.ingress}
    return {
        "connection": live.connection,
        "protocol": live.protocol,
        "state": live.state,
        "local": {"address": one.local, "port": one.local_port},
        "remote": {"address": one.remote, "port": one.remote_port},
        "process": {"pid": live.holder.pid, "name": live.holder.name} if live.holder else None,
        "uid": one.uid,
        "inode": one.inode,
        "queues": {"receive": one.receive_queue, "send": one.send_queue},
        "rules": {way: each and {"condition": each.condition, "rule": each.rule} for way, each in met.items()},
        "tcp": tcp,
        "before": live.before and {
            "rttSeconds": _seconds(live.before.rtt),
            "retransmits": live.before.retransmits,
            "bytes": live.before.bytes,
            "deliveryRateBitsPerSecond": None if live.before.rate is None else live.before.rate * 8,
            "secondsAgo": live.before.seconds_ago,
        },
    }  # fmt: skip


def _seconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds / 1e6


def _lease(remaining_ns: int | None, now: datetime) -> dict[str, Any]:
    if remaining_ns is None:
        return {"expiresAt": None, "remainingSeconds": None}
    end = now.astimezone(UTC) + timedelta(microseconds=remaining_ns // 1000)
    whole = (end + timedelta(microseconds=500_000)).replace(microsecond=0)  # computed anew each time: seconds don't flicker
    return {"expiresAt": whole.isoformat().replace("+00:00", "Z"), "remainingSeconds": round(remaining_ns / 1e9, 3)}


def _target(whose: Whose) -> dict[str, Any]:
    return {"reference": whose.reference, "name": whose.name, "identity": whose.identity, "runtime": whose.runtime}
