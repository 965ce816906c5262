"""A command line that dies after its n-th change: of the kernel, by netlink, bpf(), a mount or a device file, or of a file.

    with Stepping(state) as stepping:
        died = stepping.run("set", "netns:a", "--delay", "5ms", "--direct", after=7, by=signal.SIGKILL)

One process imports everything, once, and each command is a fork of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
EVENTS = frozenset(
    ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "fcntl.ioctl", "subprocess.Popen", "socket.bind", "socket.connect")
)
"""What is a change among that of which Python tells its audit hooks."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGING = frozenset(("MAP_UPDATE", "MAP_DELETE", "PROG_ATTACH", "PROG_DETACH", "LINK_CREATE"))


@dataclass(frozen=True)
class Outcome:
    """How a command ended. exit: its code, minus the number of a signal that ended it. steps: how many changes it began."""

    exit: int
    steps: int
    output: str
    last: str
    """The change at which it was killed."""


class Stepping:
    """The process whose forks run commands. state: their state directory."""

    def __init__(self, state: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.stepping"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "NETWEATHER_STATE": str(state)},
        )

    def run(self, *words: str, after: int | str | None = None, by: int = signal.SIGKILL) -> Outcome:
        """Runs a command to its end.

        after: the number of changes that it may make before it gets the signal `by`, or the beginning of the one before which it does.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([list(words), after, int(by)]) + "\n")
        self._process.stdin.flush()
        return Outcome(**json.loads(self._process.stdout.readline()))

    def __enter__(self) -> Stepping:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


class _Counter:
    """Counts changes, and signals this process before the one that it may not make any more."""

    def __init__(self, after: int | str | None, by: int, pipe: int) -> None:
        self.after, self.by, self.pipe, self.count = after, by, pipe, 0

    def step(self, what: str) -> None:
        if self.count == self.after or (isinstance(self.after, str) and what.startswith(self.after)):
            self.after = None
            os.write(self.pipe, what.encode())
            self.count += 1
            os.kill(os.getpid(), self.by)
            return
        self.count += 1

    def heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING):
            self.step(f"{event} {str(arguments[:2])[:150]}")

    def around(self, function: Callable[..., T], which: Callable[..., str]) -> Callable[..., T]:
        """Calls of it are changes where `which` has a word for them."""

        def called(*arguments: Any, **named: Any) -> T:
            if word := which(*arguments, **named):
                self.step(word)
            return function(*arguments, **named)

        return called


def _install(counter: _Counter) -> None:
    from netweather.kernel import namespaces
    from netweather.kernel.bpf import libbpf
    from netweather.kernel.netlink import rtnetlink

    changing = {getattr(libbpf, name): name for name in _CHANGING}
    rtnetlink._ask = counter.around(rtnetlink._ask, lambda kind, flags, *_: f"netlink {kind}" if flags & rtnetlink.ACK else "")
    rtnetlink.change_together = counter.around(
        rtnetlink.change_together, lambda *requests: f"netlink {' and '.join(str(each[0]) for each in requests)}"
    )
    libbpf.call = counter.around(libbpf.call, lambda command, _: changing.get(command, ""))
    libbpf.load = counter.around(libbpf.load, lambda *_, **__: "load")
    namespaces._checked = counter.around(namespaces._checked, lambda _, call: call)
    sys.addaudithook(counter.heard)


def _child(words: list[str], after: int | str | None, by: int, output: int, pipe: int) -> int:
    from netweather.cli import main

    null = os.open(os.devnull, os.O_RDWR)
    for ours, number in ((null, 0), (output, 1), (output, 2)):
        os.dup2(ours, number)
    counter = _Counter(after, by, pipe)
    _install(counter)
    code = main(words)
    sys.stdout.flush()
    os.write(pipe, b"\0%d" % counter.count)
    return code


def _serve() -> None:
    import netweather.cli.commands.set
    import netweather.engine  # noqa: F401 - so that forks have it
    from netweather.host import namespace_processes  # noqa: F401 - the same

    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        words, after, by = json.loads(line)
        read, write = os.pipe()
        output = os.memfd_create("output")
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(_child(words, after, by, output, write))
            finally:
                os._exit(99)
        os.close(write)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with os.fdopen(read) as told:
            last, _, steps = told.read().partition("\0")
        os.lseek(output, 0, os.SEEK_SET)
        with os.fdopen(output) as text:
            outcome = Outcome(status, int(steps or 0), text.read(), last)
        answers.write(json.dumps(vars(outcome)) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
