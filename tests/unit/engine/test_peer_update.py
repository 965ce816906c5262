"""Peers that moved, over the FakeKernel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from netweather.conditions import Condition, Delay, Match, NetworkCondition, Rule
from netweather.engine import Engine, entries
from netweather.engine.peer_update import repeer, words
from netweather.errors import NetweatherError
from netweather.kernel import keeper_process
from netweather.kernel.datapath.fake import FakeKernel, FakeTarget
from netweather.kernel.datapath.operations import Operation
from netweather.settings import Settings
from netweather.targets import Peer, Target
from netweather.units import Duration

DELAY = Condition(delay=Delay(Duration(10**8)))
HERE, THERE = ip_network("192.0.2.7/32"), ip_network("2001:db8::7/128")


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def engine(kernel: FakeKernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(keeper_process, "ensure", lambda *_: None)
    monkeypatch.setattr(entries, "resolve_peers", lambda word, target: (Peer(HERE, word),))
    return Engine(Settings(state=tmp_path / "state"), lambda *_: FakeTarget(kernel))


@pytest.fixture
def target() -> Iterator[Target]:
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    status = os.fstat(fd)
    with Target("netns:test", "test", fd, status.st_dev, status.st_ino, None, "/proc/self/ns/net", "netns") as made:
        yield made


def wanted(name: str, *to: str) -> NetworkCondition:
    return NetworkCondition(name=name, rules=(Rule(Match(to=to, direction="egress"), DELAY),))


def rules(kernel: FakeKernel) -> bytes | None:
    """The digest of the rules that the kernel holds."""
    return FakeTarget(kernel).observe().rules


def meant(engine: Engine, target: Target) -> dict[str, dict[str, tuple[str, ...]]]:
    return {shown.condition.name: shown.peers for shown in engine.show(target)}


def test_every_condition_that_names_the_word_means_the_new_addresses(engine: Engine, target: Target, kernel: FakeKernel) -> None:
    engine.set(target, wanted("a", "db", "mail"))
    engine.set(target, wanted("b", "db"))
    assert words(engine, target) == ("db", "mail")
    before, left = rules(kernel), [shown.remaining_ns or 0 for shown in engine.show(target)]
    assert repeer(engine, target, {"db": (THERE, HERE), "stranger": (THERE,)})
    both = (str(THERE), str(HERE))
    assert meant(engine, target) == {"a": {"db": both, "mail": (str(HERE),)}, "b": {"db": both}}
    assert rules(kernel) != before
    now = engine.show(target)
    assert all(shown.in_force for shown in now)
    assert all((shown.remaining_ns or 0) <= was for shown, was in zip(now, left, strict=True))


def test_what_is_meant_already_is_left_alone(engine: Engine, target: Target, kernel: FakeKernel) -> None:
    assert words(engine, target) == ()
    assert not repeer(engine, target, {"db": (THERE,)})
    engine.set(target, wanted("a", "db"))
    before = rules(kernel)
    assert not repeer(engine, target, {"db": (HERE,)})
    assert not repeer(engine, target, {"stranger": (THERE,)})
    assert rules(kernel) == before


def test_no_addresses_match_nothing(engine: Engine, target: Target) -> None:
    engine.set(target, wanted("a", "db"))
    assert repeer(engine, target, {"db": ()})
    assert meant(engine, target) == {"a": {"db": ()}}
    assert engine.show(target)[0].in_force


def test_a_failure_leaves_what_was_meant_before(engine: Engine, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.set(target, wanted("a", "db"))
    usual, failures = FakeTarget.apply, iter([True])

    def once(self: FakeTarget, operation: Operation) -> None:
        if next(failures, False):
            raise NetweatherError("kernel-refused", "no")
        usual(self, operation)

    monkeypatch.setattr(FakeTarget, "apply", once)
    with pytest.raises(NetweatherError, match="kernel-refused"):
        repeer(engine, target, {"db": (THERE,)})
    assert meant(engine, target) == {"a": {"db": (str(HERE),)}}
    assert engine.show(target)[0].in_force
