from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from netweather.kernel import keeper_process
from netweather.kernel.datapath.pump_process import ProcessHandle


def note(path: Path, pid: int, start: int | None = None) -> None:
    process = ProcessHandle.of(pid)
    assert process is not None
    path.write_text(f"{pid} {process.start if start is None else start}")


def test_a_keeper_is_known_by_pid_and_start(tmp_path: Path) -> None:
    assert not keeper_process.running(tmp_path)
    note(tmp_path / "keeper.pid", os.getpid())
    assert keeper_process.running(tmp_path)
    note(tmp_path / "keeper.pid", os.getpid(), start=1)
    assert not keeper_process.running(tmp_path)
    (tmp_path / "keeper.pid").write_text("nonsense")
    assert not keeper_process.running(tmp_path)


def test_another_keeper_is_no_keeper_of_ours(tmp_path: Path) -> None:
    assert not keeper_process.kept_by_another(tmp_path)
    note(tmp_path / "keeper.pid", os.getpid())
    assert not keeper_process.kept_by_another(tmp_path)
    note(tmp_path / "keeper.pid", os.getppid())
    assert keeper_process.kept_by_another(tmp_path)
    note(tmp_path / "keeper.pid", os.getppid(), start=1)
    assert not keeper_process.kept_by_another(tmp_path)


def test_it_never_stops_itself(tmp_path: Path) -> None:
    note(tmp_path / "keeper.pid", os.getpid())
    keeper_process.stop_keeper(tmp_path)


@pytest.mark.parametrize("name", ["keeper", "pump"])
def test_what_is_stopped_is_gone(tmp_path: Path, name: str) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        note(tmp_path / f"{name}.pid", child.pid)
        (keeper_process.stop_keeper if name == "keeper" else keeper_process.stop_pump)(tmp_path)
        assert child.wait(5) != 0


def test_none_is_started_when_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWEATHER_KEEPER", "none")
    keeper_process.ensure(tmp_path, 0, tmp_path)
    assert not keeper_process.running(tmp_path)
