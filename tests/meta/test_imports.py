"""What a command imports: with an agent, `set`, `show` and `clear` are one request, for which neither an engine nor a library is needed."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from netweather.conditions import load
from netweather.results import ConditionStatus, RuleCounters, SetOutcome, SetResult, TargetRef
from netweather.wire import condition_documents as wire

PROGRAM = (
    "import sys\nfrom netweather.cli import main\ncode = main(sys.argv[1:])\nprint(*sys.modules, file=sys.stderr)\nsys.exit(code)"
)
LIBRARIES = {"http", "httpx", "httpcore", "h11", "email", "ssl", "asyncio", "pydantic", "yaml", "cffi", "pyroute2"}
ENGINE = ("engine", "service", "planning", "lines", "measure", "journal", "keeper", "agent", "testing", "demo")
TARGET = TargetRef("netns:a", "a", 1, 2, None, None, "netns")
CONDITION = load({"name": "default", "targets": ["netns:a"], "rules": [{"condition": {"delay": "10ms", "loss": "1%"}}]})
DONE = SetOutcome(CONDITION, (SetResult(TARGET, CONDITION, (), True, {}, ("eth0",), ("a note",), ("engine pump",)),))
SHOWN = ConditionStatus(TARGET, CONDITION, 60 * 10**9, True, (), ("eth0",), {}, (RuleCounters(1, 100, 0),), 0, "pump")
ANSWERS: dict[str, list[dict[str, Any]]] = {
    "PUT": [wire.DONE.write(DONE)],
    "GET": [wire.SHOWN.write(SHOWN)],
    "DELETE": [{"target": "netns:a", "cleared": ["default"]}],
}


class Agent(BaseHTTPRequestHandler):
    """Answers as an agent does, and counts."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")  # type: ignore[attr-defined]  # Server's
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"items": ANSWERS[self.command]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_GET = do_DELETE = answer  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.asked: list[str] = []
        self.connections = 0
        super().__init__(str(path), Agent)

    def get_request(self) -> tuple[Any, Any]:
        self.connections += 1
        channel, _ = super().get_request()
        return channel, ("", 0)


@contextmanager
def serving(state: Path) -> Iterator[Server]:
    with Server(state / "agent.sock") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("words", "request_line", "libraries"),
    [
        (["set", "netns:a", "--delay", "10ms", "--loss", "1%"], "PUT /v1/conditions", {"rich"}),
        (["set", "netns:a", "--profile", "3g", "--json"], "PUT /v1/conditions", {"rich"}),
        (["show", "--json"], "GET /v1/conditions", {"rich"}),
        (["show", "netns:a"], "GET /v1/conditions?target=netns%3Aa&lived=true", set()),  # its table is Rich's
        (["clear", "netns:a", "--name", "default"], "DELETE /v1/conditions/default?target=netns%3Aa", {"rich"}),
        (["clear", "--all", "--json"], "DELETE /v1/conditions", {"rich"}),
    ],
)
def test_a_command_with_an_agent_is_one_request(tmp_path: Path, words: list[str], request_line: str, libraries: set[str]) -> None:
    with serving(tmp_path) as server:
        environment = {**os.environ, "NETWEATHER_STATE": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words], env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    assert (server.asked, server.connections) == ([request_line], 1)
    modules = done.stderr.splitlines()[-1].split()
    assert "netweather.client.client" in modules
    assert [each for each in modules if each.partition(".")[0] in LIBRARIES | libraries] == []
    assert [each for each in modules if each.startswith("netweather.") and each.split(".")[1] in ENGINE] == []
