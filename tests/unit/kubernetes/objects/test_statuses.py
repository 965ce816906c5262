from datetime import UTC, datetime, timedelta

from netweather.errors import NetweatherError
from netweather.kubernetes.objects.statuses import LONGEST_MESSAGE, condition_of_status, reason_of, refusal, states_of
from tests.support.objects import condition

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_transition_has_its_time_and_what_stays_keeps_it() -> None:
    first = condition_of_status("Ended", ("False", "LeaseRuns", "x" * 9000), {}, 1, NOW)
    assert (first["lastTransitionTime"], len(first["message"])) == ("2026-01-01T12:00:00Z", LONGEST_MESSAGE)
    before = {"conditions": [first]}
    later = NOW + timedelta(seconds=5)
    assert condition_of_status("Ended", ("False", "Other", ""), before, 2, later)["lastTransitionTime"] == "2026-01-01T12:00:00Z"
    assert (
        condition_of_status("Ended", ("True", "LeaseOver", ""), before, 1, later)["lastTransitionTime"] == "2026-01-01T12:00:05Z"
    )


def test_an_error_is_a_reason_in_one_word_and_a_message() -> None:
    assert reason_of("too-many-pods") == "TooManyPods"
    assert refusal(NetweatherError("bad-peer", "what", "", "remedy")) == ("BadPeer", "what; remedy")


def test_a_status_of_another_spec_says_nothing() -> None:
    told = [{"type": kind, "status": "True", "reason": "", "message": ""} for kind in ("Resolved", "InForce")]
    status = {"observedGeneration": 1, "conditions": told}
    assert states_of(condition(status=status)).keys() == {"Resolved", "InForce"}
    assert states_of(condition(generation=2, status=status)) == {}
