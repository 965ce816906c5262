from datetime import UTC, datetime, timedelta

import pytest

from netweather.errors import UsageError
from netweather.kubernetes.objects.condition_reader import read_condition
from netweather.kubernetes.objects.profile_objects import profile_of, profile_status, written_out
from tests.support.objects import condition, profile

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def accepted(found: dict[str, object]) -> tuple[str, str, str]:
    (each,) = profile_status(profile_of(found), {}, NOW)["conditions"]
    return each["status"], each["reason"], each["message"]


def test_a_profile_is_written_out_by_direction_where_a_rule_names_it() -> None:
    own = profile_of(profile(up={"delay": {"time": "1ms"}}, down={"delay": {"time": "2ms"}, "loss": {"percent": "3%"}})).profile
    assert own is not None
    meant = read_condition(condition(rules=[{"ports": [80], "condition": {"profile": "office", "loss": "5%"}}])).condition
    rules = written_out(meant, {"office": own}).rules
    assert [(rule.match.direction, str(rule.condition.delay and rule.condition.delay.time)) for rule in rules] == [
        ("egress", "1ms"),
        ("ingress", "2ms"),
    ]
    assert [str(rule.condition.loss) for rule in rules] == [str(meant.rules[0].condition.loss)] * 2
    assert {str(port) for rule in rules for port in rule.match.ports} == {"80"}


def test_one_that_comes_with_netweather_stays_a_name_unless_it_is_taken_over() -> None:
    meant = read_condition(condition(rules=[{"condition": {"profile": "3g"}}])).condition
    assert written_out(meant, {}) == meant
    own = profile_of(profile("3g")).profile
    assert own is not None
    assert written_out(meant, {"3g": own}).rules[0].condition.profile is None
    assert accepted(profile("3g"))[:2] == ("True", "TakesThePlace")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    own = profile_of(profile()).profile
    assert own is not None
    meant = read_condition(condition(rules=[{"condition": {"profile": "ofice"}}])).condition
    with pytest.raises(UsageError, match="office") as caught:
        written_out(meant, {"office": own})
    assert caught.value.code == "unknown-profile"


def test_what_is_no_profile_says_why() -> None:
    assert accepted(profile()) == ("True", "Valid", "")
    status, reason, message = accepted(profile(down={"dealy": {"time": "1ms"}}))
    assert (status, reason) == ("False", "UnknownKey")
    assert "'delay'" in message
    assert accepted(profile(downn={}))[1] == "UnknownKey"
    assert accepted(profile(title="nothing"))[1] == "MissingKey"
    assert accepted(profile(down={"trace": "/etc/hostname"}))[1] == "PathRefused"


def test_its_status_is_the_same_for_the_same() -> None:
    own = profile_of(profile())
    first = profile_status(own, {}, NOW)
    assert profile_status(own, first, NOW + timedelta(hours=1)) == first
