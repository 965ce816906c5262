from typing import Any

import pytest

from netweather.errors import UsageError
from netweather.kubernetes.objects.networktest import InvalidTest, networktest_of, read_test
from tests.support.objects import DELAY, network_test

RULES = {"rules": [{"condition": DELAY}]}
MINE = [{"podSelector": {"matchLabels": {"app": "api"}}}]


def test_networks_are_perfect_or_profiles_or_conditions_of_their_own() -> None:
    other = {"targets": [{"workload": "deployment/db"}], **RULES}
    networks = [{"name": "perfect"}, {"name": "3g"}, {"name": "far", "profile": "satellite"}, {"name": "own", "condition": other}]
    test = read_test(
        network_test(networks=networks, to=[{"service": "db"}], timeout="90s", mustPass=["perfect"], maxSlowdown=2.5)
    )
    perfect, plain, far, own = test.networks
    assert (perfect.spec, perfect.targets) == (None, plain.targets)
    assert plain.spec == {"rules": [{"to": [{"service": "db"}], "condition": {"profile": "3g"}}], "targets": MINE}
    assert far.spec is not None
    assert far.spec["rules"][0]["condition"] == {"profile": "satellite"}
    assert own.spec == other
    assert [target.workload for target in own.targets] == ["deployment/db"]
    assert (test.timeout.seconds, test.must_pass, test.max_slowdown) == (90, ("perfect",), 2.5)


def test_the_perfect_network_is_that_of_all_others_targets() -> None:
    conditions = [{"targets": [{"workload": f"deployment/{name}"}], **RULES} for name in ("api", "db")]
    networks = [{"name": "perfect"}, *({"name": f"n{i}", "condition": each} for i, each in enumerate(conditions))]
    test = read_test(network_test(networks=networks, targets=[]))
    assert [target.workload for target in test.networks[0].targets] == ["deployment/api", "deployment/db"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"network": []}, "did you mean 'networks'?"),
        ({"networks": []}, "names 0 networks"),
        ({"networks": [{"name": "a"}, {"name": "a"}]}, "two networks are named a"),
        ({"networks": [{"name": "Slow_DB"}]}, "name of a network"),
        ({"networks": [{"name": "perfect", "condition": RULES}]}, "perfect is the unchanged network"),
        ({"networks": [{"name": "a", "profile": "3g", "condition": RULES}]}, "leave one out"),
        ({"networks": [{"name": "a", "condition": {**RULES, "lease": "1m"}}]}, "it has a lease"),
        ({"networks": [{"name": "a", "conditon": RULES}]}, "did you mean 'condition'?"),
        ({"networks": [{"name": "a", "condition": RULES}], "targets": []}, "no target"),
        ({"networks": [{"name": "a", "condition": RULES}], "targets": [{"workload": "deploymnt/x"}]}, "deployment/NAME"),
        ({"mustPass": ["slwo"]}, "did you mean 'slow'?"),
        ({"maxSlowdown": 0.5}, "a number of at least 1"),
        ({"timeout": "0s"}, "at least 1"),
        ({"jobTemplate": {"spec": {"template": {"spec": {}}}}}, "no containers"),
        ({"targets": [{"podSelector": {}}]}, "the Job's own pods"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(value),
)
def test_what_it_refuses(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_test(network_test(**spec))
    assert words in str(caught.value) + caught.value.why + caught.value.remedy
    found = networktest_of(network_test(**spec))
    assert isinstance(found, InvalidTest)
    assert (found.name, found.generation) == ("checkout", 1)


def test_a_selector_that_leaves_the_job_s_pods_out_is_fine() -> None:
    targets = [{"podSelector": {"matchExpressions": [{"key": "netweather.dev/test", "operator": "DoesNotExist"}]}}]
    assert read_test(network_test(targets=targets)).networks[1].targets[0].pod_selector is not None


def test_names_of_objects_are_short_and_never_the_same() -> None:
    test = read_test(network_test("a" * 60))
    names = {test.object_name(f"{'b' * 30}-{i}") for i in range(9)}
    assert len(names) == 9
    assert max(map(len, names)) <= 63
    assert read_test(network_test()).object_name("slow") == "checkout-slow"
