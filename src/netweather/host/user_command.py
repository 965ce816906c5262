"""A user's command as a process: started where the calling thread is, waited for, ended with all that it started. Dies with us."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from netweather.errors import NetweatherError

_PR_SET_PDEATHSIG: Final = 1
_NOT_FOUND: Final = (errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR)
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class RunningCommand:
    """A command that runs. own_session: it can't be reached by the terminal's Ctrl-C, and ends with all that it started."""

    process: subprocess.Popen[bytes]
    own_session: bool

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait(self, patience: float | None = None) -> int | None:
        """Its exit code, as a shell has it (128 and the signal's number); None when it still runs after `patience` seconds."""
        fd = os.pidfd_open(self.pid)
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            if not poll.poll(None if patience is None else max(0.0, patience * 1000)):
                return None
        finally:
            os.close(fd)
        code = self.process.wait()
        return 128 - code if code < 0 else code

    def signal(self, number: int) -> None:
        """To the command alone. No error when it has ended."""
        self.process.send_signal(number)

    def end(self) -> None:
        """Kills it, and of a session of its own whatever is left. No error when it has ended."""
        if self.own_session:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()


def start(command: Sequence[str], environment: Mapping[str, str], output: int | None = None) -> RunningCommand:
    """Starts a command. output: the file for all that it prints, and then it has no input; None: it has our terminal.

    It is killed when the calling thread ends. Raises NetweatherError(code="command-not-found").
    """
    parent = os.getpid()

    def tie() -> None:  # in the child: system calls alone
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    own = output is not None
    try:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            preexec_fn=tie,
            stdin=subprocess.DEVNULL if own else None,
            stdout=output,
            stderr=subprocess.STDOUT if own else None,
            start_new_session=own,
        )
    except OSError as error:
        if error.errno not in _NOT_FOUND:
            raise
        why = error.strerror or str(error)
        raise NetweatherError("command-not-found", f"{command[0]!r} can't be run", why, "check its name and path") from error
    return RunningCommand(process, own)
