"""Process 1 of the cluster's namespaces: starts its components, buries the dead, and starts or stops one when told to.

    python -m tests.cluster.supervisor HOME

HOME/components/NAME.json is the command of a component, HOME/logs/NAME its output; HOME/control a socket that takes `start NAME` and
`stop NAME` and answers `ok` when that is done. When this process is killed, the kernel ends everything in its pid namespace.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

PATIENCE_S = 10.0


class Supervisor:
    """The components of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.pids: dict[str, int] = {}

    def start(self, name: str) -> None:
        command = json.loads((self.home / "components" / f"{name}.json").read_text())
        with (self.home / "logs" / name).open("a") as log:
            self.pids[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.home
            ).pid

    def stop(self, name: str) -> None:
        """By SIGTERM, and then SIGKILL; returns when it is dead."""
        deadline = time.monotonic() + PATIENCE_S
        word = signal.SIGTERM
        while name in self.pids:
            with suppress(ProcessLookupError):
                os.kill(self.pids[name], word)
            time.sleep(0.05)
            self.bury()
            word = signal.SIGKILL if time.monotonic() > deadline else signal.SIGTERM

    def bury(self) -> None:
        """Whoever has died: a component, or the orphan of one."""
        with suppress(ChildProcessError):
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                self.pids = {name: known for name, known in self.pids.items() if known != pid}

    def serve(self) -> None:
        """For ever. One request a connection."""
        path = self.home / "control"
        with socket.socket(socket.AF_UNIX) as control:
            control.bind(str(path))
            control.listen()
            control.settimeout(0.5)  # the dead are buried meanwhile
            while True:
                self.bury()
                with suppress(TimeoutError):
                    self._answer(control.accept()[0])

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(2)
            verb, _, name = connection.recv(200).decode().strip().partition(" ")
            {"start": self.start, "stop": self.stop}[verb](name)
            connection.sendall(b"ok\n")


def ask(home: Path, words: str) -> None:
    """Has the supervisor of a home do something. Raises OSError, AssertionError."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(3 * PATIENCE_S)
        control.connect(str(home / "control"))
        control.sendall(f"{words}\n".encode())
        answer = control.recv(10)
    assert answer == b"ok\n", f"{words}: {answer!r}"


if __name__ == "__main__":
    Supervisor(Path(sys.argv[1])).serve()
