"""Interfaces that leave the target: moved to another namespace, renamed, deleted. The condition stays behind.

On the other side no packet is held, delayed or lost, whatever index the interface has there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

import pytest

from netweather.conditions import Condition
from netweather.kernel.bpf import btf
from netweather.kernel.bpf.hooks import DIRECTIONS, best_hook
from netweather.kernel.features.features import there
from tests.kernel.conftest import MakeRig
from tests.support import probe
from tests.support.netns import Namespace, await_carrier, ip
from tests.support.rig import MS, Rig, delay, rule, until

MOVES = 50
DELAY_MS = 300


@dataclass
class Wanderer:
    """A rig whose client has a second interface, and a namespace that this one moves to and back from.

    seen: the wandering interface's addresses, in the one namespace and in the other; the far end answers in `far`.
    """

    rig: Rig
    other: Namespace
    here: Namespace
    there: Namespace
    far: Namespace
    device: str = "wan0"

    def move(self, index: int | None = None) -> None:
        """Into the other namespace; index: the number that it gets there."""
        number = f" index {index}" if index else ""
        ip("-n", self.rig.net.client.name, "-batch", "-", stdin=f"link set {self.device} netns {self.other.name}{number}\n")
        self._raise(self.other)

    def back(self) -> None:
        ip("-n", self.other.name, "link", "set", self.device, "netns", self.rig.net.client.name)
        self._raise(self.rig.net.client)

    def _raise(self, namespace: Namespace) -> None:
        lines = f"link set {self.device} up\naddr replace {self.here.v4}/28 dev {self.device}\n"
        lines += f"addr replace {self.here.v6}/64 dev {self.device} nodad\n"
        ip("-n", namespace.name, "-batch", "-", stdin=lines)
        if namespace is not self.rig.net.client:
            for end in (namespace, self.far):
                end.call(await_carrier, self.device)

    def programs(self, namespace: Namespace) -> list[str]:
        """What of ours is attached to the wandering interface."""

        def inside() -> list[str]:
            import socket

            index = socket.if_nametoindex(self.device)
            found = [p for d in DIRECTIONS for p in best_hook().programs(index, d)]
            for program in found:
                program.close()
            return [program.name for program in found]

        return namespace.call(inside)


@contextmanager
def wandering(make_rig: MakeRig) -> Iterator[Wanderer]:
    with make_rig() as rig:
        prefix = rig.net.client.name.removesuffix("client")
        there, far = f"{prefix}there", f"{prefix}far"
        try:
            for name in (there, far):
                ip("netns", "add", name)
                ip("-n", name, "link", "set", "lo", "up")
            ip("-n", rig.net.client.name, "-batch", "-", stdin=f"link add wan0 type veth peer name wan0 netns {far}\n")
            near = Namespace(rig.net.client.name, IPv4Address("198.51.100.1"), IPv6Address("2001:db8:7::1"))
            end = Namespace(far, IPv4Address("198.51.100.2"), IPv6Address("2001:db8:7::2"))
            other = Namespace(there, near.v4, near.v6)
            found = Wanderer(rig, other, near, other, end)
            found._raise(rig.net.client)
            lines = f"link set wan0 up\naddr add {end.v4}/28 dev wan0\naddr add {end.v6}/64 dev wan0 nodad\n"
            ip("-n", far, "-batch", "-", stdin=lines)
            yield found
        finally:
            for name in (there, far):
                subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.fixture
def wanderer(make_rig: MakeRig) -> Iterator[Wanderer]:
    with wandering(make_rig) as found:
        yield found


def index_of(namespace: Namespace, device: str) -> int:
    return int(namespace.run("cat", f"/sys/class/net/{device}/ifindex").stdout)


def untouched(near: Namespace, far: Namespace, count: int = 20) -> None:
    """Both ways, every packet arrives, and none of them was in a line."""
    for sender, receiver in ((near, far), (far, near)):
        seen = probe.stream(sender, receiver, count)
        assert seen.lost == []
        assert min(seen.delays) < DELAY_MS * MS


CONDITIONS = {"drop": Condition(block="drop"), "delay": Condition(delay=delay(DELAY_MS))}


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("taken", ["free", "of the target's eth0"])
def test_what_has_left_is_untouched(wanderer: Wanderer, condition: str, taken: str) -> None:
    """The index that it gets there may be that of another interface of the target."""
    rig = wanderer.rig
    rig.set(rule(CONDITIONS[condition], direction="both"))
    if taken == "free":
        wanderer.move()
    else:
        wanderer.move(index_of(rig.net.client, "eth0"))
    untouched(wanderer.there, wanderer.far)
    assert rig.clear() == ["default"]
    assert wanderer.programs(wanderer.other) == []
    untouched(wanderer.there, wanderer.far)


def test_the_only_interface_leaves(wanderer: Wanderer) -> None:
    rig = wanderer.rig
    rig.set(rule(Condition(block="drop"), direction="both", interfaces=("wan0",)))
    wanderer.move()
    untouched(wanderer.there, wanderer.far)
    assert rig.clear() == ["default"]
    assert wanderer.programs(wanderer.other) == []
    assert rig.remains() == []


def test_what_comes_out_of_a_line_leaves_by_no_other_interface(wanderer: Wanderer) -> None:
    """Another interface has the index meanwhile: what was under way is lost, and never sent there."""
    rig = wanderer.rig
    rig.set(rule(CONDITIONS["delay"], direction="egress"))
    index = index_of(rig.net.client, "wan0")
    quiet = "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"
    rig.net.client.run("sh", "-c", quiet)

    def swap(number: int) -> None:
        if number == 10:
            wanderer.move()
            pair = f"link add new0 index {index} type veth peer name new1\n"
            ip("-n", rig.net.client.name, "-batch", "-", stdin=f"{pair}link set new0 up\nlink set new1 up\n")

    with pytest.raises(OSError, match="unreachable"):
        probe.stream(rig.net.client, wanderer.far, 20, meanwhile=swap)
    time.sleep(2 * DELAY_MS / 1000)
    assert rig.net.client.run("cat", "/sys/class/net/new0/statistics/tx_packets").stdout.strip() == "0"


@pytest.mark.parametrize("condition", CONDITIONS)
def test_fifty_moves_under_traffic(wanderer: Wanderer, condition: str) -> None:
    """There and back, each time with another index; the keeper covers it again here, and nothing of ours is left there."""
    rig = wanderer.rig
    rig.set(rule(CONDITIONS[condition], direction="both"))
    own = index_of(rig.net.client, "eth0")
    for number in range(MOVES):
        wanderer.move(own if number % 2 else None)
        untouched(wanderer.there, wanderer.far, 3)
        wanderer.back()
    until(lambda: rig.shown().in_force and "wan0" in rig.shown().interfaces, 20, "wan0 is covered again")
    wanderer.move()
    rig.clear()
    assert wanderer.programs(wanderer.other) == []
    assert rig.remains() == []


def test_a_rename_changes_nothing(wanderer: Wanderer) -> None:
    """Not even for the packets that are under way. Before Linux 6.2 an interface has to be down for it, which loses them."""
    rig = wanderer.rig
    live = tuple(int(each) for each in os.uname().release.split(".")[:2]) >= (6, 2)
    rig.set(rule(CONDITIONS["delay"], direction="egress", interfaces=("wan0",)))

    def rename(number: int) -> None:
        if number == 10:
            for words in (("name", "lan0"),) if live else (("down",), ("name", "lan0"), ("up",)):
                ip("-n", rig.net.client.name, "link", "set", "lan0" if words == ("up",) else "wan0", *words)

    seen = probe.stream(rig.net.client, wanderer.far, 40, pps=100, meanwhile=rename, patience=5)
    assert seen.lost == [] or not live
    assert min(seen.delays) >= (DELAY_MS - 5) * MS
    assert rig.shown().in_force
    until(lambda: rig.shown().interfaces == ("lan0",), 20, "its new name is shown")
    assert rig.shown().in_force
    assert min(probe.stream(rig.net.client, wanderer.far, 5, patience=5).delays) >= (DELAY_MS - 5) * MS


def test_what_is_deleted_is_named_until_it_is_back(wanderer: Wanderer) -> None:
    rig = wanderer.rig
    rig.set(rule(CONDITIONS["delay"], direction="egress"))
    ip("-n", rig.net.client.name, "link", "del", "wan0")
    assert any("wan0" in problem for problem in rig.shown().problems)
    until(lambda: rig.shown().in_force, 20, "the rest is in force")
    assert rig.shown().interfaces == ("eth0",)
    assert any("wan0" in problem for problem in rig.shown().problems)
    assert min(probe.stream(rig.net.client, rig.net.server, 5, patience=5).delays) >= (DELAY_MS - 5) * MS
    ip("-n", rig.net.client.name, "link", "add", "wan0", "type", "veth", "peer", "name", "wan0", "netns", wanderer.far.name)
    until(lambda: not rig.shown().problems, 20, "the new one is covered")


def test_the_last_interface_is_deleted_and_another_comes(wanderer: Wanderer) -> None:
    rig = wanderer.rig
    rig.set(rule(CONDITIONS["delay"], direction="egress", interfaces=("wan0",)))
    wanderer.move()
    until(lambda: rig.shown().interfaces == (), 20, "it is noticed")
    assert not rig.shown().in_force
    assert wanderer.programs(wanderer.other) == []
    wanderer.back()
    until(lambda: rig.shown().in_force, 20, "it is covered again")
    assert min(probe.stream(rig.net.client, wanderer.far, 5, patience=5).delays) >= (DELAY_MS - 5) * MS


def test_a_kernel_that_does_not_tell_its_types(wanderer: Wanderer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The map of devices alone: it is enough unless the interface gets another one's index."""
    monkeypatch.setattr(btf, "offsets", lambda *_: None)
    rig = wanderer.rig
    rig.set(rule(Condition(block="drop"), direction="both"))
    wanderer.move(4711)
    untouched(wanderer.there, wanderer.far)


def test_the_other_namespace_is_a_target_too(wanderer: Wanderer) -> None:
    """An interface that brought a classifier along gets the other target's, and not the other way round."""
    rig = wanderer.rig
    rig.set(rule(Condition(block="drop"), direction="both"))
    rig.kill("keeper")
    wanderer.move()
    other = Rig(rig.net, rig.state, reference=f"netns:{wanderer.other.name}")
    try:
        other.set(rule(CONDITIONS["delay"], direction="egress"))
        seen = probe.stream(wanderer.there, wanderer.far, 5, patience=5)
        assert seen.lost == []
        assert min(seen.delays) >= (DELAY_MS - 5) * MS
        assert len(probe.stream(rig.net.client, rig.net.server, 5).lost) == 5
        assert rig.clear() == ["default"]
        assert min(probe.stream(wanderer.there, wanderer.far, 5, patience=5).delays) >= (DELAY_MS - 5) * MS
    finally:
        other.clear()


def test_a_lost_journal(wanderer: Wanderer) -> None:
    """recover finds the programs by their names where the interface is now; what the namespace itself has stays.

    A clsact stays behind when its interface moves, and there is nothing to find.
    """
    rig = wanderer.rig
    rig.set(rule(Condition(block="drop"), direction="both"))
    rig.kill("keeper")
    wanderer.move()
    shutil.rmtree(rig.folder)
    other = Rig(rig.net, rig.state, reference=f"netns:{wanderer.other.name}")
    assert [each.taken for each in other.recover()] == ([True] if there("tcx") else [])
    assert wanderer.programs(wanderer.other) == []
    untouched(wanderer.there, wanderer.far)


def test_what_comes_out_of_a_namespace_that_ends(wanderer: Wanderer) -> None:
    """As a physical interface does, which the kernel gives to the host."""
    rig = wanderer.rig
    rig.set(rule(Condition(block="drop"), direction="both"))
    rig.kill("keeper")
    wanderer.move()
    untouched(wanderer.there, wanderer.far)
    rig.target.close()
    subprocess.run(["ip", "netns", "del", rig.net.client.name], check=True)
    until(lambda: rig.engine.sweep() or not rig.folder.exists(), 20, "it is swept up")
    assert wanderer.programs(wanderer.other) == []
    untouched(wanderer.there, wanderer.far)
