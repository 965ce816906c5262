"""The demo's processes, each in a namespace: started, asked, ended. What they do: browser, shop, payment."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess  # noqa: TID251 - these processes are the demo's application, not the seam's tools
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from netweather.demo.interrupt import Interrupts
from netweather.errors import NetweatherError

STARTUP_S = 15.0
SLACK_S = 10.0
"""How much longer than it should take an answer may be on its way: machines are busy."""


class Child:
    """One process. Raises NetweatherError(code="demo-failed") when it ends or does not answer in time."""

    def __init__(self, role: str, namespace: Path, interrupts: Interrupts) -> None:
        self.role = role
        self._interrupts = interrupts
        self._pending = b""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        fd = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "netweather.demo.processes.inside", role, str(fd), str(os.getpid())],
                pass_fds=(fd,),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,  # a Ctrl-C is the demo's alone
                bufsize=0,
            )
        finally:
            os.close(fd)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def ready(self) -> None:
        """Returns when it is listening."""
        self.receive(STARTUP_S)

    def ask(self, verb: str, takes_s: float = 0.0, **arguments: Any) -> Any:
        """Has it do something. takes_s: how long that should take."""
        self.send(verb, **arguments)
        return self.receive(takes_s + SLACK_S)

    def send(self, verb: str, **arguments: Any) -> None:
        """The first half of `ask`; `receive` is the other."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"verb": verb, **arguments}).encode() + b"\n")
        except BrokenPipeError as error:
            raise self._failed("it ended") from error

    def receive(self, patience_s: float) -> Any:
        """The next answer."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + patience_s
        fd = self._process.stdout.fileno()
        while b"\n" not in self._pending:
            if not self._interrupts.wait([fd], max(0.0, deadline - time.monotonic())):
                raise self._failed(f"it did not answer within {patience_s:.0f} s")
            chunk = os.read(fd, 1 << 16)
            if not chunk:
                raise self._failed("it ended")
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        reply = json.loads(line)
        if "error" in reply:
            raise self._failed(reply["error"])
        return reply["answer"]

    def _failed(self, why: str) -> NetweatherError:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        detail = f"{why}; {said[-1]}" if said else why
        return NetweatherError(
            "demo-failed", f"the demo's {self.role} failed", detail, "report it, with what `netweather doctor` says"
        )

    def stop(self) -> None:
        """Ends it. No error when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                pipe.close()
