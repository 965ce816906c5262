"""A machine for the command line: a lab's client namespace, with services and a state directory of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from netweather.engine.draining import DRAIN_S
from netweather.kernel import waiting
from tests.support.machine import SLOW
from tests.support.netns import Lab, ip, lab

PROGRAM = [sys.executable, "-c", "import sys; from netweather.cli import main; sys.exit(main())"]
SERVICE = """
import socketserver, sys
class Answer(socketserver.BaseRequestHandler):
    def handle(self): self.request.sendall(b"x")
class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 100
with Server((sys.argv[1], 0), Answer) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
"""


@dataclass
class Machine:
    """Commands run in its namespace. folder: where they run."""

    net: Lab
    folder: Path
    services: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def inside(self) -> list[str]:
        return ["ip", "netns", "exec", self.net.client.name]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "NETWEATHER_STATE": str(self.folder / "state"), "COLUMNS": "100"}

    def site(self, port: int, address: str = "127.0.0.1", namespace: str = "") -> None:
        """A web site of the folder `site`, on its loopback unless told otherwise."""
        (self.folder / "site").mkdir(exist_ok=True)
        words = [sys.executable, "-u", "-m", "http.server", str(port), "--bind", address, "--directory", "site"]
        words = ["ip", "netns", "exec", namespace or self.net.client.name, *words]
        pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
        self.services.append(subprocess.Popen(words, cwd=self.folder, stdout=pipe, stderr=quiet, text=True))
        output = self.services[-1].stdout
        assert output
        output.readline()

    def serve(self, address: str = "127.0.0.1", namespace: str = "") -> int:
        """A service, on its loopback unless told otherwise, that says x to everybody; the port."""
        words = ["ip", "netns", "exec", namespace or self.net.client.name, sys.executable, "-c", SERVICE, address]
        self.services.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        output = self.services[-1].stdout
        assert output
        return int(output.readline())

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [*self.inside, *PROGRAM, *words]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [*self.inside, *PROGRAM, *words]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=400 * SLOW,
            check=False,
        )

    def run_here(self, *words: str) -> subprocess.CompletedProcess[str]:
        """As `run`, in the network where the test is."""
        return subprocess.run(
            [*PROGRAM, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=400 * SLOW,
            check=False,
        )

    def shell(self, line: str, *, inside: bool = True) -> subprocess.CompletedProcess[str]:
        """A line as a page prints it: `netweather` and what .venv has are commands, and so is what the folder `bin` has; the
        lab's server is db.example.org. inside: in this machine's network, not where the test is."""
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{self.net.server.v4} db.example.org\n")
        named = ["unshare", "--mount", "sh", "-euc", 'mount --bind hosts /etc/hosts; exec "$@"', "sh"]
        path = f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            [*named, *(self.inside if inside else ()), "sh", "-euc", line], cwd=self.folder,
            env={**self.environment, "PATH": path}, capture_output=True, text=True, timeout=400 * SLOW, check=False,
        )  # fmt: skip

    def program(self, name: str, text: str) -> None:
        """A shell script of the user's: `./backup` is beside the tests, `gotestsum` a command."""
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh -eu\n{text}\n")
        file.chmod(0o755)

    def targets(self) -> list[str]:
        """What still has a journal when held packets have had their time to leave."""
        folder = self.folder / "state" / "targets"
        waiting.until(lambda: not any(folder.glob("*")), 2 * DRAIN_S * SLOW)
        return [path.name for path in folder.glob("*")]


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Its services end with the block."""
    with lab() as net:
        ip("-n", net.client.name, "link", "set", "lo", "up")
        made = Machine(net, folder)
        try:
            yield made
        finally:
            for service in made.services:
                service.kill()
                service.communicate()
