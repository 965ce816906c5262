from typing import Any

from netweather.kubernetes.objects.statuses import transitions


def status(**conditions: tuple[str, str]) -> dict[str, Any]:
    return {
        "conditions": [
            {"type": kind, "status": state, "reason": reason, "message": f"of {kind}"}
            for kind, (state, reason) in conditions.items()
        ]
    }


def told(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(each.reason, each.warning) for each in transitions(before, after)]


BEGUN = status(Resolved=("True", "Resolved"), InForce=("False", "Pending"), Ended=("False", "LeaseRuns"))


def test_what_comes_true_is_told_once() -> None:
    assert told({}, BEGUN) == []
    in_force = status(Resolved=("True", "Resolved"), InForce=("True", "ReadBack"), Ended=("False", "LeaseRuns"))
    assert told(BEGUN, in_force) == [("InForce", False)]
    assert told(in_force, in_force) == []
    over = status(Resolved=("False", "Ended"), InForce=("False", "Ended"), Ended=("True", "LeaseOver"))
    assert told(in_force, over) == [("Ended", False)]


def test_what_is_refused_or_fails_is_a_warning_with_its_reason() -> None:
    refused = status(Resolved=("False", "TooManyPods"), InForce=("False", "NotResolved"))
    assert told({}, refused) == [("Refused", True)]
    assert [each.message for each in transitions({}, refused)] == ["TooManyPods: of Resolved"]
    assert told(BEGUN, status(InForce=("False", "OtherOwner"))) == [("Failed", True)]
    assert told({}, status(Accepted=("False", "UnknownKey"))) == [("Refused", True)]
    assert told({}, status(Resolved=("False", "NoPods"), InForce=("False", "NotResolved"))) == []


def test_verdicts_are_told() -> None:
    assert told(BEGUN, status(Verified=("Unknown", "Pending"))) == []
    assert told(BEGUN, status(Verified=("True", "Held"))) == [("Verified", False)]
    assert told(BEGUN, status(Verified=("False", "NotHeld"))) == [("NotVerified", True)]
    assert told(BEGUN, status(Verified=("Unknown", "CantTell"))) == [("CantTell", True)]
