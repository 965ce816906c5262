"""The pump's process: start, control, end. What it does with packets is in tests/kernel/pump and tests/unit/pump."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from netweather.kernel.datapath import pump_process
from netweather.kernel.datapath.pump_file import ParamsFile


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Path, pump_process.ProcessHandle]]:
    tmp_path = tmp_path / ("deep" * 30)  # longer than a socket's address may be
    tmp_path.mkdir()
    with ParamsFile(tmp_path / "params"):
        pass
    beat = os.memfd_create("beat")
    os.ftruncate(beat, 4096)
    process = pump_process.start(tmp_path, tmp_path / "params", beat, 0)
    try:
        yield tmp_path, process
    finally:
        pump_process.stop(process)
        os.close(beat)


def test_it_answers_and_ends(running: tuple[Path, pump_process.ProcessHandle]) -> None:
    directory, process = running
    assert process.alive
    with pump_process.PumpControl(directory) as control:
        control.ping()
        with pytest.raises(OSError, match="refused"):
            control.remove(5)
    pump_process.stop(process)
    assert not process.alive


def test_it_has_no_privileges(running: tuple[Path, pump_process.ProcessHandle]) -> None:
    _, process = running
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if ":\t" in line)
    assert status["Uid"].split() == ["65534"] * 4
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_a_pid_that_was_reused_is_another_process(running: tuple[Path, pump_process.ProcessHandle]) -> None:
    _, process = running
    other = pump_process.ProcessHandle(process.pid, process.start - 100)
    assert not other.alive
    other.signal(signal.SIGKILL)
    assert process.alive


def test_no_pump_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        pump_process.PumpControl(tmp_path)
