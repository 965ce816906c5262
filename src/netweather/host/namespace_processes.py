"""Processes inside a namespace: started, signalled, waited for. What they are for: netweather.testing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from netweather.host import lab_start
from netweather.kernel.waiting import until


@dataclass(frozen=True)
class Finished:
    """A command that has ended. exit: its code, or minus the signal's number."""

    exit: int
    stdout: str
    stderr: str


class Child:
    """A process and its descendants (one session), in a namespace. log: where its stdout and stderr go."""

    def __init__(
        self, command: Sequence[str], namespace: int, hosts: Path, log: Path, environment: Mapping[str, str], folder: Path | None
    ) -> None:
        """namespace: a descriptor. Raises OSError."""
        self.command, self.log = tuple(command), log
        with log.open("ab") as output, _inherited(namespace) as fd:
            self._process = subprocess.Popen(
                _inside(command, fd, hosts),
                pass_fds=(fd,),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a Ctrl-C is the test's alone
                env=dict(environment),
                cwd=folder,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit(self) -> int | None:
        """Its exit code, minus the number of the signal that ended it, or None while it runs."""
        return self._process.poll()

    @property
    def running(self) -> bool:
        return self.exit is None

    def text(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace")

    def signal(self, number: int) -> None:
        """Sends a signal to it and its descendants; SIGSTOP freezes them, SIGCONT lets them go on."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def wait(self, patience_s: float) -> int | None:
        """Waits for its end. Returns its exit code, None when it still runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(patience_s)
        return None

    def stop(self, patience_s: float = 5.0) -> int:
        """SIGTERM; SIGKILL when that is not heard, and for descendants that are left when it has ended. Returns its exit code."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        until(self._ended, patience_s)
        return self.kill()

    def kill(self) -> int:
        """SIGKILL, to descendants too. Returns its exit code."""
        if self._process.returncode is None:  # else its number may be somebody else's by now
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()

    def _ended(self) -> bool:
        """Without reaping it: its number stays its own, and so does that of its session."""
        gone = self._process.returncode is not None
        return gone or os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def run(
    command: Sequence[str], namespace: int, hosts: Path, environment: Mapping[str, str], stdin: str, timeout_s: float
) -> Finished:
    """Runs a command inside to its end. Raises TimeoutError (it is killed then) and OSError."""
    with _inherited(namespace) as fd:
        process = subprocess.Popen(
            _inside(command, fd, hosts),
            pass_fds=(fd,),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=dict(environment),
            text=True,
            errors="replace",
        )
    try:
        out, err = process.communicate(stdin, timeout_s)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimeoutError(f"{command[0]} did not end within {timeout_s:g} s") from error
        raise
    return Finished(process.returncode, out, err)


@contextlib.contextmanager
def beside(script: Path, *arguments: str) -> Iterator[int]:
    """A Python script that runs beside us, in a session of its own: it outlives us when we are killed. Killed at the end.

    Yields its pid. Raises OSError.
    """
    null = subprocess.DEVNULL
    command = [sys.executable, "-P", str(script), *arguments]
    process = subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True, cwd="/")
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def _inside(command: Sequence[str], fd: int, hosts: Path) -> list[str]:
    return [sys.executable, "-I", "-S", lab_start.__file__, str(fd), str(hosts), *command]


@contextlib.contextmanager
def _inherited(namespace: int) -> Iterator[int]:
    fd = os.dup(namespace)
    try:
        yield fd
    finally:
        os.close(fd)
