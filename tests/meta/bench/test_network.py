"""tools/bench/network.py: what it makes is gone afterwards, also when the bench was killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.netns import FOLDER
from tests.support.repository import ROOT
from tools.bench.network import PREFIX, Net, delay, network, rule, sweep

pytestmark = pytest.mark.root


def test_a_condition_is_in_force_within(net: Net) -> None:
    with net.condition(rule(delay(0), direction="egress")):
        (shown,) = net.engine.show(net.target)
        assert shown.in_force
        assert net.pid("pump")
        assert net.pid("keeper")
        assert net.unwanted_drops() == 0
    assert net.engine.show(net.target) == []
    assert net.pid("pump") == 0


def test_without_a_rule_nothing_is_made(net: Net) -> None:
    with net.condition():
        assert net.engine.show(net.target) == []


def test_offloads_are_switched_at_both_ends(net: Net) -> None:
    for on in (False, True):
        net.offloads(on=on)
        for end in (net.client, net.server):
            listed = end.run("ethtool", "-k", "eth0").stdout
            assert f"generic-segmentation-offload: {'on' if on else 'off'}" in listed


def test_nothing_leads_out(net: Net) -> None:
    routes = net.client.run("ip", "route").stdout.replace("linkdown ", "")  # on a busy machine its operational state comes later
    assert routes.splitlines() == ["192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.1 "]


def test_everything_is_gone_afterwards() -> None:
    with network() as net:
        net.set(rule(delay(5)))
        state, names = net.state, [net.client.name, net.server.name]
        assert all(name.startswith(PREFIX) for name in names)
    assert not state.exists()
    assert not [name for name in names if (FOLDER / name).exists()]


KILLED = """
import os, signal
from tools.bench.network import delay, network, rule
with network() as net:
    net.set(rule(delay(5)))
    print(net.state, net.client.name, net.server.name, net.pid("pump"), net.pid("keeper"), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_bench_left_is_swept() -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)
    state, client, server, pump, keeper = done.stdout.split()
    assert (FOLDER / client).exists()
    sweep()
    assert not Path(state).exists()
    assert not (FOLDER / client).exists()
    assert not (FOLDER / server).exists()
    for pid in (pump, keeper):
        assert "netweather" not in _command(pid)


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except OSError:
        return ""


def test_a_condition_that_ended_meanwhile_is_noticed(net: Net) -> None:
    with pytest.raises(RuntimeError, match="not in force: it is gone"), net.condition(rule(delay(5))):
        net.clear()
