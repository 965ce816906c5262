"""Words of the plugin's command line, to objects and back."""

from __future__ import annotations

from typing import Any

import pytest

from netweather.cli.kubectl import condition_wording
from netweather.errors import UsageError
from netweather.kubernetes.objects.condition_reader import read_condition


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("shop-0", {"pod": "shop-0"}),
        ("pod/shop-0", {"pod": "shop-0"}),
        ("deployment/shop", {"workload": "deployment/shop"}),
        ("deployments/shop", {"workload": "deployment/shop"}),
        ("sts/db", {"workload": "statefulset/db"}),
    ],
)
def test_targets(word: str, target: Any) -> None:
    assert condition_wording.targets([word]) == [target]


def test_targets_by_labels_and_a_part_of_them() -> None:
    labels = {"podSelector": {"matchLabels": {"app": "shop", "tier": "web"}}}
    assert condition_wording.targets([], ["app=shop,tier==web"]) == [labels]
    assert condition_wording.targets([], ["app=shop,tier=web"], "2") == [{**labels, "count": 2}]
    assert condition_wording.targets(["shop-0"], (), "50%") == [{"pod": "shop-0", "share": "50%"}]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (lambda: condition_wording.targets(["deploymnet/shop"]), "unknown-workload"),
        (lambda: condition_wording.targets([], ["app"]), "bad-selector"),
        (lambda: condition_wording.targets([], [""]), "bad-selector"),
        (lambda: condition_wording.targets(["a"], (), "some"), "bad-pods"),
        (lambda: condition_wording.targets(["a"], (), "0"), "bad-pods"),
        (lambda: condition_wording.peer("db"), "bad-peer"),
        (lambda: condition_wording.peer("pod/db"), "bad-peer"),
    ],
)
def test_words_that_are_none(wrong: Any, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        wrong()
    assert caught.value.code == code


PEERS = {
    "service/db": {"service": "db"},
    "service/other/db": {"service": "other/db"},
    "namespace/other": {"namespace": "other"},
    "app=db": {"podSelector": {"matchLabels": {"app": "db"}}},
    "198.51.100.0/24": {"cidr": "198.51.100.0/24"},
    "2001:db8::1": {"cidr": "2001:db8::1"},
    "db.example.org": {"dns": "db.example.org"},
}


@pytest.mark.parametrize("word", PEERS)
def test_peers_there_and_back(word: str) -> None:
    assert condition_wording.peer(word) == PEERS[word]
    assert condition_wording.peer_words(PEERS[word]) == word


def test_a_condition_is_one_that_the_operator_reads() -> None:
    flags = {"delay": "100ms", "to": ["service/db,app=db", "198.51.100.1"], "port": ["5432"], "for": "5m", "exclude": ["dns"]}
    made = condition_wording.condition(flags, condition_wording.targets(["deployment/shop"]), ["deployment/shop"])
    assert made["metadata"] == {"name": "deployment-shop"}
    assert made["spec"]["lease"] == "5m"
    assert made["spec"]["rules"][0]["to"] == [PEERS["service/db"], PEERS["app=db"], {"cidr": "198.51.100.1"}]
    made["metadata"] |= {"namespace": "shop", "uid": "1"}
    read = read_condition(made)
    assert (len(read.peers), len(read.condition.exclude), read.targets[0].workload) == (2, 1, "deployment/shop")


@pytest.mark.parametrize("lease", ["forever", "untilDeleted"])
def test_until_deleted(lease: str) -> None:
    made = condition_wording.condition({"delay": "1ms", "for": lease, "name": "mine"}, [{"pod": "a"}], ["a"])
    assert (made["spec"]["lease"], made["metadata"]["name"]) == ("untilDeleted", "mine")


def test_files_are_written_into_the_object(tmp_path: Any) -> None:
    trace = tmp_path / "line.csv"
    trace.write_text("0ms delay=10ms\n1s delay=20ms\n")
    made = condition_wording.condition({"trace": str(trace)}, [{"pod": "a"}], ["a"])
    assert "delay=20ms" in made["spec"]["rules"][0]["condition"]["trace"]


def test_names_tell_the_targets_and_stay_short() -> None:
    assert condition_wording.name_of(["app=shop,tier=web"]) == "app-shop-tier-web"
    long = [condition_wording.name_of(["x" * 80, end]) for end in "ab"]
    assert len(set(long)) == 2
    assert max(map(len, long)) <= 63


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ({"workload": "deployment/shop", "count": 1}, "deployment/shop (1 of them)"),
        ({"pod": "a"}, "pod/a"),
        ({"podSelector": {}, "share": "50%"}, "all pods (50% of them)"),
        ({"podSelector": {"matchLabels": {"app": "a"}}}, "app=a"),
    ],
)
def test_targets_for_people(target: Any, told: str) -> None:
    assert condition_wording.target_words(target) == told


def test_rules_for_people() -> None:
    rule = {"condition": {"delay": {"time": "100ms"}}, "to": [{"service": "db"}], "ports": ["5432"], "direction": "egress"}
    assert condition_wording.rule_words(rule) == "delay 100ms: port 5432 to service/db, egress"
    assert condition_wording.peer_words({"namespace": "a", "podSelector": {}}) == "namespace/a"


def test_a_profile_that_nobody_knows_here_may_be_the_clusters() -> None:
    made = condition_wording.condition({"profile": "branch-office/reversed"}, [{"pod": "a"}], ["a"])
    (rule,) = made["spec"]["rules"]
    assert rule["condition"] == {"profile": "branch-office/reversed"}
    assert condition_wording.rule_words(rule).startswith("profile branch-office/reversed:")
