"""cli/trials/matrix.py: a command on several networks, with its own tests, reports and thresholds."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.kernel.cli.machine import Machine, machine
from tests.support.machine import SLOW
from tests.support.rig import until

pytestmark = pytest.mark.timeout(420)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path) as made:
        yield made


SUITE = """
import os, socket, time

def ask():
    begin = time.monotonic()
    socket.create_connection(("host.netweather", int(os.environ["PORT"])), 10).recv(1)
    return time.monotonic() - begin

def test_patient():
    assert ask() < 10

def test_hurried():
    print("on", os.environ["NETWEATHER_NETWORK"])
    assert min(ask() for _ in range(3)) < 0.3  # one way and back on 3G
"""


def test_a_suite_of_another_runner_on_two_networks(host: Machine) -> None:
    """pytest without the plugin stands for any runner that writes JUnit."""
    (host.folder / "test_it.py").write_text(SUITE)
    words = ["env", f"PORT={host.serve()}", sys.executable, "-m", "pytest", "-q", "-p", "no:netweather", "-p", "no:schemathesis"]
    words += ["--junit-xml=out.xml", "-o", "junit_family=xunit2", "-o", "junit_logging=all", "test_it.py"]
    reports = ["--report", "a/networks.html", "--report", "networks.md", "--report", "networks.xml"]
    done = host.run("matrix", "--profiles", "perfect,3g", "--junit", "out.xml", *reports, "--", *words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "test_it test_hurried on 3g: failed" in done.stderr
    assert "network: 3g: exit code 1" in done.stderr
    assert "✓" in done.stdout
    page = (host.folder / "networks.md").read_text()
    assert "| test | perfect | 3g |" in page
    suites = {suite.get("name"): suite for suite in ElementTree.parse(host.folder / "networks.xml").iter("testsuite")}
    assert (suites["perfect"].get("failures"), suites["3g"].get("failures")) == ("0", "1")
    assert "on 3g" in ElementTree.tostring(suites["3g"], encoding="unicode")
    assert "profile 3g direction both: in force" in (host.folder / "a" / "networks.html").read_text()
    assert host.targets() == []


def test_thresholds_decide(host: Machine) -> None:
    words = ["--", sys.executable, "-c", ASK, "host.netweather", str(host.serve())]
    assert host.run("matrix", "--profiles", "perfect,3g", "--max-slowdown", "1.01", *words).returncode == 1
    failing = ["--", "sh", "-c", 'echo >/dev/null; test "$NETWEATHER_NETWORK" = perfect']
    allowed = ["--profiles", "perfect,3g", "--allow-unmatched"]
    assert host.run("matrix", *allowed, "--must-pass", "perfect", *failing).returncode == 0
    done = host.run("matrix", "--profiles", "perfect", "--timeout", "500ms", "--", "sleep", "60")
    assert (done.returncode, "took too long" in done.stderr) == (1, True)


ASK = """
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), 10).recv(1)
"""


def test_a_network_that_nothing_met_can_not_be_told_about(host: Machine) -> None:
    done = host.run("matrix", "--profiles", "perfect,3g", "--json", "--", "true")
    assert done.returncode == 3
    cells = {cell["network"]: cell for cell in json.loads(done.stdout)["cells"]}
    assert {name: cell["outcome"] for name, cell in cells.items()} == {"perfect": "passed", "3g": "error"}
    assert cells["3g"]["evidence"][0]["target"] == "the command's own network"


def test_the_network_of_a_target(host: Machine) -> None:
    """COMMAND runs where we are, which is the test's own network: it pings through the target's."""
    ping = ["ip", "netns", "exec", host.net.client.name, "ping", "-c2", "-i0.05", str(host.net.server.v4)]
    target = ["--direct", "--target", f"netns:{host.net.client.name}", "--to", str(host.net.server.v4)]
    done = host.run_here("matrix", "--profiles", "perfect,transatlantic", *target, "--json", "--", *ping)
    assert done.returncode == 0, done.stderr
    cells = {cell["network"]: cell for cell in json.loads(done.stdout)["cells"]}
    (evidence,) = cells["transatlantic"]["evidence"]
    assert (evidence["target"], evidence["packets"]) == (target[2], 4)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_what_it_started(host: Machine, number: signal.Signals) -> None:
    running = host.start("matrix", "--profiles", "perfect,3g", "--", "sh", "-c", "touch here; sleep 60")
    until(lambda: (host.folder / "here").exists(), 20, "it runs")
    running.send_signal(number)
    running.communicate(timeout=20 * SLOW)
    assert running.returncode == 128 + number
    assert host.targets() == []
