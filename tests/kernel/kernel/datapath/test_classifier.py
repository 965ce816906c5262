from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from netweather.kernel.datapath.classifier import Classifier
from netweather.kernel.datapath.spec import MAX_LEASES, Action, Datapath, FlatRule, Interface, Room
from netweather.planning.vectors import compile_tables

ETH0 = Interface("eth0", 2, 0)
RULES = (
    FlatRule(Action.DROP, 0, 0, frozenset({(0, 0)}), peers=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))),
    FlatRule(Action.DROP, 1, 1, frozenset({(0, 1)}), ports=((80, 90),), protocols=frozenset({6})),
)
PATH = Datapath((ETH0,), (), RULES, (5, 6))


@pytest.fixture
def classifier() -> Classifier:
    return Classifier.load(Room(64, 64, 65536 // 4))


def test_what_is_written_is_read_back(classifier: Classifier) -> None:
    tables = compile_tables(RULES, (ETH0,))
    assert classifier.digest == 0
    for _ in range(3):  # both generations, and the first again
        classifier.write(tables, PATH)
        assert classifier.differences(tables, PATH) == []
        assert classifier.digest == tables.digest
    assert classifier.leases(MAX_LEASES)[:3] == (5, 6, 0)
    classifier.close()


def test_every_difference_is_found(classifier: Classifier) -> None:
    classifier.write(compile_tables(RULES, (ETH0,)), PATH)
    other = (replace(RULES[0], peers=(ip_network("198.51.100.0/24"),)), replace(RULES[1], action=Action.REJECT))
    wrong = classifier.differences(compile_tables(other, (ETH0,)), replace(PATH, leases=(5, 7)))
    assert {"the rule set", "rule 1", "peer 198.51.100.0/24", "the leases"} <= set(wrong)
    classifier.close()


def test_a_larger_one_keeps_heartbeat_and_counters(classifier: Classifier) -> None:
    larger = Classifier.load(Room(128, 64, 1), classifier)
    assert larger.maps["beat"].id == classifier.maps["beat"].id
    assert larger.room == Room(128, 64, 1)
    assert larger.counters([0, 127]) == {0: (0, 0, 0), 127: (0, 0, 0)}
    classifier.close()
    larger.close()
