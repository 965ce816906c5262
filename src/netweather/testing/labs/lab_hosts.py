"""A host of a lab, and the processes in it: started, waited for, logged, killed."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from netweather.errors import NetweatherError
from netweather.host import local_services, namespace_processes
from netweather.host.namespace_processes import Child, Finished
from netweather.host.tcp_relay import Relay
from netweather.kernel import namespaces
from netweather.kernel.waiting import until
from netweather.testing.labs.lab_spec import LabSpec, LinkEnd, Ready
from netweather.testing.web.submissions import Submissions

T = TypeVar("T")
PATIENCE_S = 30.0
TAIL = 12


class Host:
    """One host: a network namespace with its own addresses, and names for its neighbours.

    reference: the target that the command line, marks and `degrade` take; address: its first IPv4 address.
    """

    def __init__(self, name: str, path: Path, spec: LabSpec, folder: Path) -> None:
        """path: of the namespace; folder: for logs and the hosts file."""
        self.name, self.path, self.folder = name, path, folder
        self.ends: list[LinkEnd] = spec.ends(name)
        self.processes: dict[str, Child] = {}
        self._spec = spec
        self._open = contextlib.ExitStack()
        self.namespace = self._open.enter_context(namespaces.opened(path))
        self._hosts = folder / f"{name}.hosts"
        lines = [f"{spec.address(other, name)} {other}" for other in spec.hosts]
        self._hosts.write_text("\n".join(["127.0.0.1 localhost", "::1 localhost", *lines, ""]))

    @property
    def reference(self) -> str:
        return f"netns:{self.path.name}"

    @property
    def address(self) -> str:
        return self.ends[0].v4

    @property
    def addresses(self) -> list[str]:
        """Every address that it has, IPv4 and IPv6."""
        return [address for end in self.ends for address in (end.v4, end.v6)]

    def start(
        self,
        *command: str,
        ready: str | int | None = None,
        name: str = "",
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        patience: float = PATIENCE_S,
    ) -> Child:
        """Starts a process, and waits until it is ready: `8080` or "tcp:8080" (it listens), "udp:5004", "log:TEXT".

        `${shop}` in the command and environment is that host's address. name: of its log (default: the program's). folder: where it
        runs. patience: seconds. Raises NetweatherError(code="lab-process-failed") with the end of its log, and it is killed then.
        """
        wanted = Ready.parse(ready) if ready is not None else None
        name = self._free_name(name or Path(command[0]).name)
        child = Child(
            self._spec.filled(command, self.name), self.namespace.fd, self._hosts, self.folder / f"{self.name}-{name}.log",
            self._environment(environment), folder,
        )  # fmt: skip
        self.processes[name] = child
        if wanted is not None and not until(lambda: not child.running or _is_ready(child, wanted), patience, 0.01):
            child.kill()
            raise _failed(self.name, child, f"it was not ready within {patience:g} s")
        if wanted is not None and not child.running:
            raise _failed(self.name, child, f"it ended with {child.exit}")
        return child

    def run(
        self, *command: str, check: bool = True, timeout: float = 60.0, stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Finished:  # fmt: skip
        """Runs a command to its end and returns what it printed. timeout: seconds.

        Raises NetweatherError(code="lab-process-failed") when it fails (with check) or does not end.
        """
        filled = self._spec.filled(command, self.name)
        try:
            done = namespace_processes.run(filled, self.namespace.fd, self._hosts, self._environment(environment), stdin, timeout)
        except TimeoutError as error:
            raise _told(self.name, filled, str(error), "") from error
        if check and done.exit:
            raise _told(self.name, filled, f"it ended with {done.exit}", done.stderr or done.stdout)
        return done

    def call(self, function: Callable[[], T]) -> T:
        """Calls a function in a thread that is inside the host: sockets that it opens are the host's. One at a time."""
        return self.namespace.run(function)

    def forward(self, port: int, address: str = "127.0.0.1") -> Relay:
        """Makes a port of this host reachable from outside the lab, past all links: a context manager; `.address` is where.

        address: the one of the host's own that is listened on.
        """
        return Relay(("127.0.0.1", 0), (address, port), connect_in=self.namespace)

    def submissions(self, port: int = 80) -> Submissions:
        """What a web server on this host is asked for while the block lasts, and what of it twice: a context manager."""
        return Submissions(self.namespace, port)

    def listens(self, ready: str | int) -> bool:
        """Whether anybody on this host listens on a port, such as `8080` or "udp:5004"."""
        wanted = Ready.parse(ready)
        own = self.call(lambda: int(os.readlink("/proc/thread-self").rpartition("/")[2]))
        return local_services.listens(own, wanted.protocol, wanted.port)

    def close(self) -> None:
        """Kills what was started here."""
        for child in self.processes.values():
            child.kill()
        self._open.close()

    def _free_name(self, name: str) -> str:
        name = re.sub(r"[^A-Za-z0-9._-]", "-", name)
        return next(free for free in (name, *(f"{name}-{n}" for n in range(2, 10_000))) if free not in self.processes)

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        given = more or {}
        values = self._spec.filled(list(given.values()), self.name)
        proxies = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}  # they lead out of the lab, where nothing is
        kept = {key: value for key, value in os.environ.items() if key.lower() not in proxies}
        return kept | dict(zip(given, values, strict=True))


def _is_ready(child: Child, wanted: Ready) -> bool:
    if wanted.text:
        return wanted.text in child.text()
    return local_services.listens(child.pid, wanted.protocol, wanted.port)


def _failed(host: str, child: Child, why: str) -> NetweatherError:
    return _told(host, list(child.command), why, child.text())


def _told(host: str, command: list[str], why: str, said: str) -> NetweatherError:
    tail = "\n".join(said.strip().splitlines()[-TAIL:])
    what = f"{command[0]} failed on the lab's host {host}"
    return NetweatherError("lab-process-failed", what, f"{why}; {tail}" if tail else why, "see its log: Child.text()")
