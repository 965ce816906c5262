"""Whose state another state directory has: found by the processes that keep it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netweather.conditions import NetworkCondition
from netweather.engine.views.state_owners import owner_of
from netweather.journal import Entry, Journal
from netweather.kernel.datapath.spec import NEVER
from netweather.planning.rules import InForce
from netweather.results import TargetRef

WHOSE = TargetRef("docker:db", "db", 4, os.getpid(), None, None, "docker")
"""Of an inode that other workers don't take for theirs: all processes of the machine are looked at."""


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that looks like one of ours, and has a state directory of its own."""
    command = [sys.executable, "-c", "print(flush=True); input()", "netweather.keeper"]
    environment = {**os.environ, "NETWEATHER_STATE": str(tmp_path / "theirs")}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield process


def test_the_process_and_the_conditions_are_named(tmp_path: Path, keeper: subprocess.Popen[bytes]) -> None:
    condition = NetworkCondition(name="slow", owner="ci")
    Journal(tmp_path / "theirs").write(Entry(WHOSE, [InForce(condition, {}, NEVER, 1, rules=())], state="made"))
    told = owner_of(WHOSE.identity, tmp_path / "ours")
    assert "'slow' of ci on docker:db" in told
    assert f"managed by process {keeper.pid}" in told
    assert str(tmp_path / "theirs") in told


def test_a_journal_that_cannot_be_read_is_named_by_its_directory(tmp_path: Path, keeper: subprocess.Popen[bytes]) -> None:
    Journal(tmp_path / "theirs").directory(WHOSE.identity).mkdir(parents=True)
    (Journal(tmp_path / "theirs").directory(WHOSE.identity) / "journal.json").touch()
    assert owner_of(WHOSE.identity, tmp_path / "ours").startswith("state directory ")


def test_nobody_is_told(tmp_path: Path, keeper: subprocess.Popen[bytes]) -> None:
    (tmp_path / "theirs" / "targets" / WHOSE.identity).mkdir(parents=True)
    assert owner_of(f"5-{WHOSE.ino}", tmp_path / "ours") == "managed by no visible process"
    assert owner_of(WHOSE.identity, tmp_path / "theirs") == "managed by no visible process"
