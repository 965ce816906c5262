"""Documents of the API become what the engine answers: the other way round from json_documents. Pure.

Not here: connections and evidence, which have modules of their own, since a change needs neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netweather.conditions import NetworkCondition
from netweather.conditions.language.loading import load
from netweather.errors import NetweatherError
from netweather.results import Cleared, Done, Experienced, RuleCounters, SetResult, Shown, Whose

if TYPE_CHECKING:
    from netweather.measure import Evidence


def shown(document: dict[str, Any]) -> Shown:
    """A condition as it stands on one target."""
    status = document["status"]
    seconds = status["remainingSeconds"]
    return Shown(
        target=target_of(status["target"]),
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
            target=target_of(each["target"]),
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
    notes = tuple(tuple(each["notes"]) for each in targets)
    return Done(condition, results, notes, _evidence(document["status"].get("evidence", ())))


def cleared(item: dict[str, Any]) -> Cleared:
    """What ended on one target, or why not."""
    wrong = item.get("problem")
    error = NetweatherError.from_problem(wrong) if wrong else None
    return Cleared(item["target"], tuple(item["cleared"]), error, item.get("drainingPackets", 0), item.get("droppedPackets", 0))


def _condition(document: dict[str, Any]) -> NetworkCondition:
    return load({key: value for key, value in document.items() if key != "status"})


def target_of(target: dict[str, Any]) -> Whose:
    dev, _, ino = target["identity"].partition("-")
    return Whose(target["reference"], target["name"], int(dev), int(ino), None, None, target["runtime"])


def _peers(peers: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {word: tuple(prefixes) for word, prefixes in peers.items()}


def _evidence(documents: Sequence[dict[str, Any]]) -> tuple[Evidence, ...]:
    if not documents:
        return ()
    from netweather.client.evidence_reader import evidence

    return tuple(map(evidence, documents))
