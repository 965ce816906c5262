"""The keeper as a process: started by the engine by module name, or an agent; found by its pid and start time.

What it does: netweather.keeper.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from netweather.kernel.datapath.pump_process import ProcessHandle, stop, wait_gone

AGENT = "agent"
"""Stands behind the numbers in keeper.pid when the keeper is an agent, which keeps others too and is never ended for one."""


def _words(directory: Path, name: str) -> list[str]:
    try:
        return (directory / name).read_text().split()
    except OSError:
        return []


def _process(directory: Path, name: str) -> ProcessHandle | None:
    try:
        pid, start = (int(word) for word in _words(directory, name)[:2])
    except ValueError:
        return None
    process = ProcessHandle(pid, start)
    return process if process.alive else None


def running(directory: Path) -> bool:
    """Whether this target has a keeper."""
    return _process(directory, "keeper.pid") is not None


def kept_by_another(directory: Path) -> bool:
    """Whether a process that is not this one keeps this target."""
    process = _process(directory, "keeper.pid")
    return process is not None and process.pid != os.getpid()


def pump_running(directory: Path) -> bool:
    """Whether this target has a pump."""
    return _process(directory, "pump.pid") is not None


def claim(directory: Path, kind: str = AGENT) -> bool:
    """This process is to be the keeper. Returns whether it is; False: another process keeps this target, or there is none any more.

    A keeper does so itself: whoever started it may have been killed before it wrote down whom.
    """
    process = _process(directory, "keeper.pid")
    if process is None:
        process = ProcessHandle.of(os.getpid())
        if process is None or not directory.is_dir():
            return False
        draft = directory / "keeper.pid.new"
        draft.write_text(f"{process.pid} {process.start} {kind}")
        draft.replace(directory / "keeper.pid")
    return process.pid == os.getpid()


def ensure(directory: Path, namespace_fd: int, state: Path) -> None:
    """Starts a keeper when there is none. It keeps the namespace's descriptor."""
    if running(directory) or os.environ.get("NETWEATHER_KEEPER") == "none":
        return
    os.set_inheritable(namespace_fd, True)
    with (directory / "keeper.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "netweather.keeper", directory.name, str(namespace_fd)],
            pass_fds=(namespace_fd,),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env={**os.environ, "NETWEATHER_STATE": str(state)},
        )
    process = ProcessHandle.of(child.pid)
    if process is not None:
        (directory / "keeper.pid").write_text(f"{process.pid} {process.start}")
    child.returncode = 0  # it outlives us on purpose: Popen is not to warn


def stop_keeper(directory: Path) -> None:
    """Ends the keeper, unless that is us or an agent."""
    process = _process(directory, "keeper.pid")
    if process is not None and process.pid != os.getpid() and AGENT not in _words(directory, "keeper.pid"):
        process.signal(signal.SIGTERM)
        wait_gone(process, 2.0)


def stop_pump(directory: Path) -> None:
    """Ends the pump of a target whose namespace is gone."""
    process = _process(directory, "pump.pid")
    if process is not None:
        stop(process, 0.2)
