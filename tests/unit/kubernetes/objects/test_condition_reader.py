from typing import Any

import pytest

from netweather.errors import UsageError
from netweather.kubernetes.objects.condition_reader import read_condition
from netweather.kubernetes.objects.pod_conditions import UNTIL_DELETED
from netweather.units import Duration
from tests.support.objects import DELAY, condition


def refusal(**spec: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_condition(condition(**spec))
    return caught.value


def test_rules_are_the_language_s_own() -> None:
    found = read_condition(
        condition(
            rules=[{"ports": [5432], "protocol": "tcp", "condition": {**DELAY, "loss": {"model": "random", "percent": "1%"}}}]
        )
    )
    (rule,) = found.condition.rules
    assert (str(rule.condition.delay.time), str(rule.condition.loss.percent), rule.match.protocol) == ("100ms", "1%", "tcp")
    assert (found.key, found.lease) == ("shop/slow", Duration.parse("10m"))


def test_peers_are_words_until_they_have_addresses() -> None:
    to = [{"service": "db"}, {"cidr": "192.0.2.0/24"}, {"dns": "db.example.org"}, {"namespace": "other"}]
    found = read_condition(condition(rules=[{"to": to, "condition": DELAY}], exclude=[{"to": [{"service": "dns"}]}]))
    words = found.condition.rules[0].match.to
    assert words[1:3] == ("192.0.2.0/24", "db.example.org")
    assert found.peers[words[0]].service == "db"
    assert found.peers[words[3]].namespace == "other"
    assert found.peers[found.condition.exclude[0].to[0]].service == "dns"


def test_two_rules_that_differ_by_peers_alone_are_two() -> None:
    rules = [{"to": [{"service": name}], "condition": DELAY} for name in ("db", "queue")]
    assert len(read_condition(condition(rules=rules)).condition.rules) == 2


def test_a_lease_began_with_this_generation_only() -> None:
    status = {"observedGeneration": 2, "startedAt": "2026-01-01T00:00:00Z"}
    assert read_condition(condition(status=status, generation=2)).started == "2026-01-01T00:00:00Z"
    assert read_condition(condition(status=status, generation=3)).started == ""


def test_until_deleted_is_a_lease_and_forever_is_none() -> None:
    assert read_condition(condition(lease="untilDeleted")).lease == UNTIL_DELETED
    assert refusal(lease="forever").code == "bad-lease"
    assert refusal(lease="0").code == "bad-lease"


@pytest.mark.parametrize(
    ("spec", "code", "told"),
    [
        ({"rulez": []}, "unknown-key", "'rules'"),
        ({"rules": [{"condition": {"dealy": {"time": "1ms"}}}]}, "unknown-key", "'delay'"),
        ({"targets": [{"podSelektor": {}}]}, "unknown-key", "'podSelector'"),
        ({"rules": [{"to": [{"servise": "db"}], "condition": DELAY}]}, "unknown-key", "'service'"),
        ({"rules": [{"to": ["db"], "condition": DELAY}]}, "bad-type", "{service: db}"),
        ({"rules": [{"to": [], "condition": DELAY}]}, "bad-peer", "leave `to` out"),
        ({"rules": [{"to": [{"cidr": "192.0.2.7/24"}], "condition": DELAY}]}, "bad-peer", "192.0.2.0/24"),
        ({"rules": [{"to": [{"cidr": "docker:shop"}], "condition": DELAY}]}, "bad-peer", "198.51.100.0/24"),
        ({"rules": [{"to": [{"dns": "pod:kube-system/dns"}], "condition": DELAY}]}, "bad-peer", "db.example.org"),
        ({"rules": [{"to": [{"dns": "host"}], "condition": DELAY}]}, "bad-peer", "db.example.org"),
        ({"rules": [{"condition": {"trace": "/etc/shadow"}}]}, "path-refused", "write the text"),
        ({"rules": [{"condition": {"delay": {"time": "9ms", "jitter": "1ms", "distribution": "/x"}}}]}, "path-refused", "write the text"),
        ({"rules": []}, "missing-key", "rules"),
        ({"targets": []}, "missing-key", "podSelector"),
    ],
)  # fmt: skip
def test_what_can_not_be_meant_is_refused_with_the_remedy(spec: dict[str, Any], code: str, told: str) -> None:
    error = refusal(**spec)
    assert error.code == code
    assert told in error.remedy
