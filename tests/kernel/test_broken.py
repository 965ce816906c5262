"""What is broken behind our back, by hand: `show` says that it is not in force, `verify` that it failed, and setting it again mends it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from netweather.conditions import Condition
from netweather.engine.verification import VerifyOptions, verify
from netweather.kernel import keeper_process
from netweather.kernel.bpf.hooks import Clsact, best_hook
from netweather.kernel.datapath.pump_file import ParamsFile
from netweather.kernel.datapath.spec import DIRECTIONS
from netweather.kernel.namespaces import Namespace
from netweather.kernel.netlink import links
from netweather.units import Packets
from tests.kernel.conftest import MakeRig
from tests.support.netns import ip
from tests.support.rig import Rig, delay, rule, until


def detach(rig: Rig, namespace: Namespace, device: str, program: str) -> None:
    """As `bpftool net detach` does."""
    ours = device != "eth0"

    def inside() -> None:
        found = links.device(device)
        assert found is not None
        for direction in DIRECTIONS:
            hook = Clsact() if ours else best_hook()
            for one in hook.programs(found.ifindex, direction):
                if one.name == program:
                    hook.detach(found.ifindex, direction, one)
                one.close()

    with contextlib.closing(namespace):
        namespace.run(inside)


def in_ours(rig: Rig, *command: str) -> None:
    """In our own namespace beside the target's."""
    subprocess.run(["nsenter", f"--net={rig.folder / 'netns'}", *command], check=True, capture_output=True)


def classifier_detached(rig: Rig) -> str:
    detach(rig, Namespace(rig.target.netns_fd), "eth0", "nw_egress")
    return "the classifier is not attached to eth0"


def return_detached(rig: Rig) -> str:
    detach(rig, Namespace(rig.target.netns_fd), "nw0", "nw_return")
    return "the program at nw0 is missing"


def steer_detached(rig: Rig) -> str:
    with (rig.folder / "netns").open() as file:
        detach(rig, Namespace(file.fileno()), "nwh", "nw_steer")
    return "the program at nwh is missing"


def port_deleted(rig: Rig) -> str:
    ip("-n", rig.net.client.name, "link", "del", "nw0")
    return "device nw0"


def port_down(rig: Rig) -> str:
    ip("-n", rig.net.client.name, "link", "set", "nw0", "down")
    return "the device nw0 is down"


def line_deleted(rig: Rig) -> str:
    in_ours(rig, "ip", "link", "del", "nwl0")
    return "1 of 2 emulated links"


def line_down(rig: Rig) -> str:
    in_ours(rig, "ip", "link", "set", "nwl1", "down")
    return "1 of 2 emulated links"


def pump_killed(rig: Rig) -> str:
    process = rig.process("pump")
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not rig.shown().in_force, 20, "the pump's death is noticed")
    return "the pump is not running"


BREAKS = [classifier_detached, return_detached, steer_detached, port_deleted, port_down, line_deleted, line_down, pump_killed]


def check(rig: Rig, break_it: Callable[[Rig], str]) -> None:
    rig.set(rule(delay(20)), engine="pump")
    assert rig.shown().in_force
    keeper_process.stop_keeper(rig.folder)  # it would make it good, or take it away
    words = break_it(rig)
    shown = rig.shown()
    assert not shown.in_force
    assert words in "; ".join(shown.problems)
    (found,) = verify(rig.engine, rig.target, VerifyOptions(peer=f"netns:{rig.net.server.name}"))
    assert found.verdict == "FAIL"
    assert found.kernel["inForce"] is False
    assert words in "; ".join(found.problems)
    assert "nothing was sent" in found.measured[0].probe
    rig.set(rule(delay(20)), engine="pump")
    assert rig.shown().in_force, rig.shown().problems
    seen = rig.net.client.run("ping", "-n", "-c1", "-W2", str(rig.net.server.v4)).stdout
    assert float(seen.split("time=")[1].split()[0]) >= 40


@pytest.mark.parametrize("break_it", BREAKS, ids=lambda one: one.__name__)
def test_it_is_told_and_mended(make_rig: MakeRig, break_it: Callable[[Rig], str]) -> None:
    with make_rig() as rig:
        check(rig, break_it)
        rig.clear()
        assert rig.net.client.run("ip", "-o", "link").stdout.count("nw0") == 0


def test_a_filter_deleted_by_hand(make_rig: MakeRig) -> None:
    """With clsact, where `tc` does it."""

    def filter_deleted(rig: Rig) -> str:
        rig.net.client.run("tc", "filter", "del", "dev", "eth0", "egress")
        return "the classifier is not attached to eth0"

    with make_rig(hook="clsact") as rig:
        check(rig, filter_deleted)


def test_what_is_cleared_while_it_is_broken_is_gone(make_rig: MakeRig) -> None:
    with make_rig() as rig:
        rig.set(rule(delay(20)))
        keeper_process.stop_keeper(rig.folder)
        port_down(rig)
        rig.clear()
        assert "nw0" not in rig.net.client.run("ip", "-o", "link").stdout
        assert not [path for path in rig.folder.rglob("*") if path.is_file()]


def test_other_parameters_than_those_asked_for(make_rig: MakeRig) -> None:
    """Everything is there, and does something else: read back, field by field."""
    with make_rig() as rig:
        rig.set(rule(delay(20)), engine="pump")
        with ParamsFile(rig.folder / "params") as file:
            line = bytearray(file.parameters(0))
            line[-1] ^= 1
            file.write_line(0, bytes(line), {})
        (found,) = verify(rig.engine, rig.target, VerifyOptions())
        assert "emulated link 0 (egress of eth0): the pump's parameters are damaged" in found.problems
        first, second = found.kernel["lines"]
        assert (first["held"], second["held"]) == (None, second["requested"])
        assert second["requested"]["delay_ns"] == 20_000_000


def test_a_full_queue_is_told_as_what_was_asked(make_rig: MakeRig) -> None:
    with make_rig() as rig:
        rig.set(rule(delay(200), direction="egress"), engine="pump")
        assert rig.shown().queue_drops == 0
        limited = Condition(delay=delay(500), limit=Packets(5))
        rig.set(rule(limited, direction="egress"), engine="pump")
        rig.net.client.run("ping", "-n", "-q", "-c20", "-i0.002", "-W2", str(rig.net.server.v4), check=False)
        assert rig.shown().queue_drops == 15
        assert rig.shown().unwanted_drops == 0
