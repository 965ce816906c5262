"""The node that the tests run on: it is one by itself, and leaves nothing, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import binaries, node
from tests.cluster.components import NODE
from tests.support import owner
from tests.support.repository import ROOT
from tests.support.rig import until

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]


def traces(home: Path) -> list[str]:
    """Whatever of a cluster this machine still shows."""
    groups = [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{home.name}")]
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    commands = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    mounts = Path("/proc/self/mounts").read_text()
    shown = [line for line in [*commands.splitlines(), *mounts.splitlines()] if home.name in line and "tests.cluster" not in line]
    return [
        *groups,
        *shown,
        *([str(home)] if home.exists() else []),
        *([node._device(home)] if node._device(home) in links else []),
    ]


@pytest.fixture
def home() -> Path:
    if reason := node.missing():
        pytest.skip(reason)
    binaries.programs()
    return node.place(f"{owner.tag()}y")


def test_up_is_repeatable_and_down_leaves_nothing(home: Path) -> None:
    name = home.name.removeprefix(node.PREFIX)
    try:
        made = node.up(name)
        assert made.kubectl("get", "node", "-o", "name").strip() == f"node/{NODE}"
        assert node.up(name).pid == made.pid
        made.stop("scheduler")
        made.start("scheduler")
        assert traces(home)
    finally:
        node.down(home)
    assert traces(home) == []
    node.down(home)


def test_a_session_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    if reason := node.missing():
        pytest.skip(reason)
    code = "import time\nfrom tests.cluster import node\nwith node.running() as made:\n    print(made.home, flush=True)\n"
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}    time.sleep(600)"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        made = Path(process.stdout.readline().strip())
        assert made.exists()
        os.kill(process.pid, signal.SIGKILL)
    until(lambda: traces(made) == [], 60, "its watcher has ended it")
