"""cli/trials/find_limit.py: the limit of a command whose limit is known."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.cli.machine import Machine, machine
from tests.support.machine import SLOW

pytestmark = pytest.mark.timeout(420)
QUICK = ["--confidence", "75%", "--steps", "4"]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path) as made:
        yield made


PATIENT = """
import os, socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3]))
except TimeoutError:
    sys.exit(1)
"""


def test_a_connect_that_waits_for_a_second(host: Machine) -> None:
    """Its round trip is twice the delay: at 1 s it passes, at 2 s it fails."""
    command = ["--", sys.executable, "-c", PATIENT, "host.netweather", str(host.serve()), "3.5"]
    words = ["--vary", "delay=0..4s", *QUICK, "--plot", "limit.svg", "--json"]
    done = host.run("find-limit", *words, *command)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["passes"]["value"], found["fails"]["value"]) == ("1s", "2s")
    assert found["confidence"] >= 0.75
    assert found["fails"]["failed"] == found["fails"]["runs"] == 3
    assert "passes up to delay" in (host.folder / "limit.svg").read_text()
    assert done.stderr.count("\n") == len(found["runs"])
    assert host.targets() == []


def test_a_bound_for_ci(host: Machine) -> None:
    port = str(host.serve())
    command = ["--", sys.executable, "-c", PATIENT, "host.netweather", port, "10"]
    done = host.run("find-limit", "--vary", "delay=0..20ms", *QUICK, "--at-least", "10ms", *command)
    assert done.returncode == 0, done.stderr
    assert "the bad end" in done.stdout


def test_what_is_under_way_when_a_run_is_over_is_not_waited_for(host: Machine) -> None:
    """Four runs, each with a request in the line for another ten minutes; its network goes with the command."""
    command = ["--", "ping", "-c1", "-W3000", "169.254.77.1"]
    begin = time.monotonic()
    done = host.run("find-limit", "--vary", "delay=10m..20m", *QUICK, "--timeout", "1s", *command)
    assert (done.returncode, "fails at the good end already" in done.stdout) == (1, True), done.stderr
    assert time.monotonic() - begin < 120 * SLOW
    assert host.targets() == []


def test_nothing_is_said_of_a_network_that_nothing_met(host: Machine) -> None:
    done = host.run("find-limit", "--vary", "delay=0..1s", "--", "true")
    assert done.returncode == 1
    assert "[network-not-as-declared]" in done.stderr
