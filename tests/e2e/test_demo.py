"""The demo as a user runs it: what it shows, and that nothing of it stays, however it ends."""

from __future__ import annotations

import glob
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.machine import SLOW

COMMAND = (sys.executable, "-c", "from netweather.cli import main; exit(main())", "demo", "--fast", "--json")
SECONDS = 90


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state directory of the test's own; nothing may be in it at the end."""
    monkeypatch.setenv("NETWEATHER_STATE", str(tmp_path / "state"))
    yield tmp_path / "state"
    assert sorted((tmp_path / "state").glob("targets/*")) == []


def start() -> subprocess.Popen[str]:
    """With Ctrl-C working, also where the tests themselves run in a background that ignores it."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        COMMAND, stdout=pipe, stderr=pipe, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    )


def of_pid(pid: int) -> list[str]:
    """What there is of a demo: its namespaces, and its processes, whose temporary files are in a folder with its pid."""
    found = glob.glob(f"/run/netns/nwlab-{pid}-*")
    for path in Path("/proc").glob("[0-9]*"):
        try:
            log = os.readlink(path / "fd" / "1")
        except OSError:
            continue
        if f"/nwlab-{pid}-" in log:
            found.append(f"process {path.name}")
    return found


def helpers(state: Path) -> list[str]:
    """Pumps and keepers that work for a state directory: they have it in their environment or open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "cmdline").read_bytes().decode(errors="replace")
            environment = (process / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if ("netweather.keeper" in name or "netweather-pump" in name) and str(state) in environment:
            found.append(name.replace("\0", " "))
    return found


def wait_for(what: str, condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds * SLOW
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def in_the_middle(state: Path, running: subprocess.Popen[str]) -> None:
    """Returns when a condition is in force."""

    def made() -> bool:
        assert running.poll() is None, running.communicate()
        return any('"made"' in path.read_text() for path in state.glob("targets/*/journal.json"))

    wait_for("a condition", made, 40)


@pytest.mark.serial
@pytest.mark.timeout(SECONDS + 30)
def test_it_shows_what_it_promises(state: Path) -> None:
    running = start()
    said, errors = running.communicate(timeout=SECONDS)
    report = json.loads(said)
    assert report["shortcomings"] == [], errors
    assert running.returncode == 0
    satellite = report["networks"][-1]
    assert satellite["shops"]["naive"]["twice"] == 1
    assert satellite["shops"]["naive"]["told"] == 1
    for network in report["networks"]:
        assert network["shops"]["fixed"]["charged"] == [1]
        assert network["seen"]["rttMs"] >= network["asked"]["rttMs"] * 0.9 or network["asked"]["loss"]
        assert network["unwantedDrops"] == 0
    assert report["networks"][0]["seen"]["loss"] == 0
    assert report["networks"][3]["seen"]["loss"] > 0
    assert report["connections"]["broken"] == 0
    assert report["connections"]["still"] >= 6, "those of the visitor, who never loses patience"
    assert report["stream"]["missing"] == 0
    assert report["roundTripAfterwardsMs"] < satellite["asked"]["rttMs"] / 4
    assert of_pid(running.pid) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_the_middle_it_leaves_nothing(state: Path, number: signal.Signals) -> None:
    running = start()
    in_the_middle(state, running)
    assert len(of_pid(running.pid)) == 5, "three namespaces, two processes"
    running.send_signal(number)
    said, errors = running.communicate(timeout=20 * SLOW)
    assert running.returncode == 128 + number
    assert said == ""
    assert number.name in errors
    assert of_pid(running.pid) == []
    wait_for("the helpers to end", lambda: helpers(state) == [])


def test_killed_it_leaves_nothing(state: Path) -> None:
    killed = start()
    in_the_middle(state, killed)
    killed.kill()
    killed.communicate()
    wait_for("the lab's keeper to remove it", lambda: of_pid(killed.pid) == [])
    wait_for("the helpers to end", lambda: helpers(state) == [])
