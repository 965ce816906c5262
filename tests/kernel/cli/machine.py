"""A machine for the command line: a lab's client namespace, with services and a state directory of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

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
            command, cwd=self.folder, env=self.environment, input=stdin, capture_output=True, text=True, timeout=400, check=False
        )

    def run_here(self, *words: str) -> subprocess.CompletedProcess[str]:
        """As `run`, in the network where the test is."""
        return subprocess.run(
            [*PROGRAM, *words], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=400, check=False
        )

    def targets(self) -> list[str]:
        """What has a journal."""
        return [path.name for path in (self.folder / "state" / "targets").glob("*")]


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
