"""testing/labs/lab.py on real namespaces: hosts, links, processes, conditions; and that nothing stays, however it ends."""

from __future__ import annotations

import glob
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netweather.errors import NetweatherError, UsageError
from netweather.testing import Lab
from netweather.testing.labs.lab_hosts import Host
from tests.support.rig import at_last, until

WEB = ("python3", "-m", "http.server", "80")
THREE = """
hosts:
  client:
  shop:
    processes:
      web:
        command: [python3, -c, "import socket, os; s = socket.create_server((os.environ['AT'], 80)); print('up', flush=1); s.accept()"]
        ready: "log:up"
        environment: {AT: "${shop}"}
  payment:
links:
- {hosts: [client, shop], delay: 40ms}
- {hosts: [shop, payment]}
"""
SWITCH = "hosts: {a: , b: , c: }\nlinks: [{hosts: [a, b, c], delay: 20ms}]"


@pytest.fixture(scope="module", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The conditions' state is these tests' own, and empty at their end."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWEATHER_STATE", str(folder))
        yield folder
    until(lambda: not list(folder.glob("targets/*")), 20, "no condition is left")


@pytest.fixture(scope="module")
def three(state: Path) -> Iterator[Lab]:
    with Lab("client", "server", "other") as made:
        yield made


def rtt(host: Host, to: str) -> float | None:
    said = host.run("ping", "-c", "2", "-i", "0.02", "-W", "1", to, check=False).stdout
    return min((float(ms) for ms in re.findall(r"time=([\d.]+)", said)), default=None)


def traces(pid: int) -> list[str]:
    """What there is of the labs of a process."""
    found = glob.glob(f"/run/netns/nwlab-{pid}-*") + glob.glob(f"/tmp/nwlab-{pid}-*")
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"nwlab-{pid}-" in words:
            found.append(words.replace("\0", " "))
    return found


def test_hosts_reach_each_other_by_name_and_nothing_else(three: Lab) -> None:
    assert rtt(three["client"], "server") is not None
    assert rtt(three["client"], three["other"].ends[0].v6) is not None
    routes = three["client"].run("ip", "route").stdout + three["client"].run("ip", "-6", "route").stdout
    assert "default" not in routes


def test_a_condition_is_on_the_named_neighbour_alone(three: Lab) -> None:
    with three.degrade("client", to="server", delay="30ms", direction="egress") as bad:
        assert (rtt(three["client"], "server") or 0) >= 30
        at_last(lambda: rtt(three["client"], "other"), 0, 25)
        assert bad.packets == 2
    at_last(lambda: rtt(three["client"], "server"), 0, 25)


def test_a_partition(three: Lab) -> None:
    with three.partition(["client"], ["server", "other"]):
        assert rtt(three["client"], "server") is None
        assert rtt(three["other"], "server") is not None


def test_a_host_that_is_not_there(three: Lab) -> None:
    with pytest.raises(UsageError, match="'sever' is not a known host"):
        three["sever"]


def test_links_of_their_own_conditions_and_processes_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(THREE)
    with Lab.load(path) as lab:
        assert lab["shop"].listens(80)
        at_last(lambda: rtt(lab["client"], "shop"), 80, 140)
        at_last(lambda: rtt(lab["shop"], "payment"), 0, 25)
        assert rtt(lab["client"], lab["payment"].address) is None, "hosts don't forward"
        stem = lab.folder.name
    assert [one for one in traces(os.getpid()) if stem in one] == []


def test_on_a_switch_each_packet_meets_the_links_condition_once() -> None:
    with Lab.load(SWITCH) as lab:
        at_last(lambda: rtt(lab["a"], "b"), 40, 75)
        at_last(lambda: rtt(lab["c"], "b"), 40, 75)


def test_all_is_gone_after_an_error_inside() -> None:
    lab = Lab("client", "server")

    def interrupted() -> None:
        with lab:
            lab["server"].start(*WEB, ready=80)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not lab["server"].processes["python3"].running
    assert [one for one in traces(os.getpid()) if lab.folder.name in one] == []


def test_nothing_is_left_when_it_can_not_be_made() -> None:
    lab = Lab.load("hosts: {a: {processes: {web: {command: [no-such-program], ready: 80}}}, b: }")
    with pytest.raises(NetweatherError, match="no-such-program failed"), lab:
        pass
    assert [one for one in traces(os.getpid()) if lab.folder.name in one] == []


SCRIPT = """
import sys, time
from netweather.testing import Lab
with Lab("client", "server") as lab:
    lab["server"].start("sh", "-c", "setsid sleep 300 & exec sleep 300")
    with lab.degrade("client", to="server", delay="100ms", allow_unmatched=True):
        print("ready", flush=True)
        time.sleep(300)
"""


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    assert len(glob.glob(f"/run/netns/nwlab-{started.pid}-*")) == 2
    yield started
    started.kill()
    started.communicate()


def test_killed_it_goes_away_by_itself(victim: subprocess.Popen[str], state: Path) -> None:
    victim.kill()
    victim.wait()
    until(lambda: not traces(victim.pid), 20, "all is gone")
    until(lambda: not list(state.glob("targets/*")), 20, "the condition is gone too")


def test_killed_with_its_keeper_the_next_lab_takes_it_away(victim: subprocess.Popen[str]) -> None:
    keeper = subprocess.run(
        ["pgrep", "-f", f"lab_keeper.py nwlab-{victim.pid}-"], capture_output=True, text=True, check=True
    ).stdout
    os.kill(int(keeper), signal.SIGKILL)
    victim.kill()
    victim.wait()
    with Lab("alone"):
        assert traces(victim.pid) == []
