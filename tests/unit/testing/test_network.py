"""testing/network.py over a service that only remembers: what a test is told of its network when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from netweather.conditions import NetworkCondition
from netweather.errors import NetweatherError
from netweather.results import TargetRef
from netweather.testing.network import Degraded, Network

TARGET = TargetRef("netns:shop", "shop", 4, 4711, None, "/run/netns/shop", "netns")


class Remembering:
    """A service with one target, on which packets packets have met whatever is set. in_force: whether the kernel still holds it."""

    def __init__(self, packets: int) -> None:
        self.packets, self.in_force = packets, True
        self.held: list[NetworkCondition] = []

    def set(self, conditions: Sequence[NetworkCondition], *, dry_run: bool = False) -> list[Any]:
        if not dry_run:
            self.held = list(conditions)
        return [SimpleNamespace(results=[SimpleNamespace(target=TARGET, engines=("pump",))])]

    def clear(self, targets: Sequence[str], name: str, owner: str | None = None) -> list[Any]:
        self.held = [each for each in self.held if each.name != name]
        return []

    def show(self, targets: Sequence[str]) -> list[Any]:
        rule = SimpleNamespace(packets=self.packets, dropped=0)
        told: dict[str, Any] = {
            "target": TARGET,
            "in_force": self.in_force,
            "problems": ["the device is gone"],
            "unwanted_drops": 0,
        }
        return [SimpleNamespace(condition=each, rules=[rule], **told) for each in self.held]


def degraded(service: Remembering, **words: Any) -> Degraded:
    made: Any = service
    return Network("a test", targets=("netns:shop",), service=made).degrade(delay="10ms", **words)


def test_what_packets_met_is_told_and_undone() -> None:
    service = Remembering(packets=7)
    with degraded(service) as network:
        assert network.packets == 7
    (evidence,) = network.evidence
    assert (evidence.packets, evidence.problems, service.held) == (7, [], [])


def test_a_network_that_no_packet_met_fails_the_test() -> None:
    service = Remembering(packets=0)
    with pytest.raises(NetweatherError) as caught, degraded(service):
        pass
    assert caught.value.code == "network-not-as-declared"
    assert service.held == []


def test_unless_no_packet_need_have_met_it() -> None:
    with degraded(Remembering(packets=0), allow_unmatched=True) as network:
        pass
    assert network.evidence[0].problems == []


def test_the_tests_own_error_comes_first_with_a_note() -> None:
    with pytest.raises(ZeroDivisionError) as caught, degraded(Remembering(packets=0)):
        raise ZeroDivisionError
    assert len(caught.value.__notes__) == 1


def test_what_was_broken_meanwhile_fails_the_test() -> None:
    service = Remembering(packets=7)
    with pytest.raises(NetweatherError) as caught, degraded(service) as network:
        service.in_force = False
    assert caught.value.code == "network-not-as-declared"
    assert len(network.evidence[0].problems) == 1
