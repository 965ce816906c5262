from typing import Any

import pytest

from netweather.errors import UsageError
from netweather.kubernetes.objects.scenario_objects import read_scenario, whole_ns
from tests.support.objects import DELAY, scenario

SHOP, DB = {"podSelector": {"matchLabels": {"app": "shop"}}}, {"service": "db"}


def refused(**spec: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_scenario(scenario(**spec))
    return caught.value


def test_steps_become_stretches_with_pods_in_place_of_references() -> None:
    found = read_scenario(scenario())
    assert (found.key, found.length, found.repeat) == ("shop/evening", 15 * 10**9, 1)
    assert found.spans == ((0, 10 * 10**9, "slow"), (5 * 10**9, 15 * 10**9, "lossy"))
    (condition,) = found.stretches[0].conditions
    assert condition.name == "evening.slow"
    assert [found.words[word] for word in condition.targets] == list(found.targets)


def test_a_partition_loses_packets_at_pods_and_whoever_else_is_its_far_side() -> None:
    step = {"at": "0s", "for": "5s", "partition": [[SHOP], [DB, {"cidr": "192.0.2.0/24"}]]}
    found = read_scenario(scenario(targets=[], steps=[step]))
    (condition,) = found.stretches[0].conditions
    assert [found.words[word].pod_selector is not None for word in condition.targets] == [True]
    (rule,) = condition.rules
    assert [found.peers[word].service for word in rule.match.to if word in found.peers] == ["db"]
    assert "192.0.2.0/24" in rule.match.to
    both = read_scenario(scenario(targets=[], steps=[{**step, "partition": [[SHOP], [{"podSelector": {}}]]}]))
    (condition,) = both.stretches[0].conditions
    assert set(condition.targets) | set(condition.rules[0].match.to) == set(both.words)


def test_its_end_is_that_of_its_rounds_or_its_lease() -> None:
    def seconds(**spec: Any) -> float | None:
        ns = whole_ns(read_scenario(scenario(**spec)))
        return None if ns is None else ns / 1e9

    assert seconds() == 15
    assert seconds(repeat=3) == 45
    assert seconds(repeat=3, lease="20s") == 20
    assert seconds(lease="1h") == 15
    assert seconds(lease="untilDeleted") is None


def test_what_is_mistyped_is_refused_with_the_nearest() -> None:
    assert "'steps'" in refused(stepps=[]).remedy + refused(stepps=[]).what
    assert "'delay'" in str(refused(steps=[{"at": "0s", "for": "1s", "condition": {"dealy": DELAY}}]))
    assert "'podSelector'" in str(refused(targets=[{"podSelektor": {}}]))
    assert refused(steps=[]).code == "missing-key"
    assert refused(steps=[{"at": "0s", "for": "1s", "condition": {"trace": "/etc/hostname"}}]).code == "path-refused"
    assert refused(targets=[], steps=[{"at": "0s", "for": "1s", "condition": DELAY}]).code == "missing-target"
    assert refused(lease="forever").code == "bad-lease"
    assert refused(steps=[{"at": "0s", "for": "1s", "partition": [[DB], [{"cidr": "192.0.2.1"}]]}]).code == "bad-partition"


def test_it_began_when_its_status_says_so_of_this_generation() -> None:
    status = {"observedGeneration": 1, "startedAt": "2026-01-01T12:00:00Z"}
    assert read_scenario(scenario(status=status)).started == "2026-01-01T12:00:00Z"
    assert read_scenario(scenario(status=status, generation=2)).started == ""
