"""A Docker or Podman engine for tests: a real HTTP server on a unix socket that knows a few calls, and what it is given."""

from __future__ import annotations

import json
import os
import queue
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

OWN_NETWORK = f"/proc/{os.getpid()}/ns/net"


def container(name: str, state: str = "running", **changes: Any) -> dict[str, Any]:
    """A container as `docker inspect` shows it; it says to be this process, and its sandbox is this process's namespace."""
    number = changes.get("number", sum(map(ord, name)))
    found: dict[str, Any] = {
        "Id": changes.get("id") or f"{number:064x}",
        "Name": f"/{name}",
        "State": {
            "Status": state,
            "Pid": os.getpid() if state in ("running", "paused") else 0,
            "StartedAt": "2026-01-01T00:00:00Z",
        },
        "Config": {"Image": "app:1", "Labels": changes.get("labels")},
        "HostConfig": {"NetworkMode": changes.get("network", "front")},
        "NetworkSettings": {"SandboxKey": OWN_NETWORK, "Networks": {"front": {"IPAddress": "", "GlobalIPv6Address": ""}}},
    }
    if "addresses" in changes:
        v4, v6 = changes["addresses"]
        found["NetworkSettings"]["Networks"]["back"] = {"IPAddress": v4, "GlobalIPv6Address": v6}
    found["State"]["Pid"] = changes.get("pid", found["State"]["Pid"])
    found["NetworkSettings"]["SandboxKey"] = changes.get("sandbox", found["NetworkSettings"]["SandboxKey"])
    return found


class Engine:
    """containers: by order of creation; before_inspect: called with each inspected container, and may change it;
    answer: replaces every answer by (status, body)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.containers: list[dict[str, Any]] = []
        self.before_inspect: Callable[[dict[str, Any]], object] = lambda found: None
        self.answer: tuple[int, bytes] | None = None
        self.requests: list[str] = []
        self.pods: dict[str, dict[str, Any]] = {}
        self.events: queue.Queue[bytes | None] = queue.Queue()

    def happens(self, action: str, name: str) -> None:
        """Tells whoever follows the events."""
        _, found = self._find(name)
        self.events.put(json.dumps({"Type": "container", "Action": action, "Actor": {"ID": found["Id"]}}).encode() + b"\n")

    def hang_up(self) -> None:
        """Ends the events for whoever follows them now."""
        self.events.put(None)

    def add(self, name: str, state: str = "running", **changes: Any) -> dict[str, Any]:
        self.containers.append(container(name, state, **changes))
        return self.containers[-1]

    def reply(self, target: str) -> tuple[int, bytes]:
        self.requests.append(target)
        if self.answer:
            return self.answer
        place = urlsplit(target)
        if place.path == "/containers/json":
            return 200, json.dumps(self._list(parse_qs(place.query))).encode()
        if "/libpod/pods/" in place.path:
            pod = self.pods.get(unquote(place.path.split("/pods/")[1].removesuffix("/json")))
            return (404, b'{"message": "no such pod"}') if pod is None else (200, json.dumps(pod).encode())
        word = unquote(place.path.removeprefix("/containers/").removesuffix("/json"))
        status, found = self._find(word)
        return status, json.dumps(found).encode()

    def _find(self, word: str) -> tuple[int, dict[str, Any]]:
        named = [each for each in self.containers if each["Name"] == f"/{word}" or each["Id"] == word]
        fitting = named or [each for each in self.containers if each["Id"].startswith(word)]
        if len(fitting) > 1:
            return 500, {"message": f"Multiple IDs found with provided prefix: {word}"}
        if not fitting:
            return 404, {"message": f"No such container: {word}"}
        self.before_inspect(fitting[0])
        return 200, fitting[0]

    def _list(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        states = ("running", "paused", "restarting")
        wanted = json.loads(query["filters"][0])["label"]
        return [
            {
                "Id": each["Id"],
                "Names": ["/other/alias", each["Name"]],
                "Image": each["Config"]["Image"],
                "Labels": each["Config"]["Labels"] or {},
                "State": each["State"]["Status"],
                "HostConfig": each["HostConfig"],
                "NetworkSettings": {"Networks": each["NetworkSettings"]["Networks"]},
            }
            for each in self.containers
            if (query["all"] == ["1"] or each["State"]["Status"] in states)
            and all(
                (each["Config"]["Labels"] or {}).get(key) == value for key, _, value in (text.partition("=") for text in wanted)
            )
        ]


@contextmanager
def serving(path: Path) -> Iterator[Engine]:
    """An engine that listens at `path` until the end of the block."""
    engine = Engine(path)
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.startswith("/events?"):
                self.stream()
                return
            status, body = engine.reply(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def stream(self) -> None:
            engine.requests.append(self.path)
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while not ended.is_set():
                with suppress(queue.Empty):
                    line = engine.events.get(timeout=0.02)
                    if line is None:
                        break
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.close_connection = True
            with suppress(OSError):
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: Any) -> None:
            pass

    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield engine
        finally:
            ended.set()
            server.shutdown()
            thread.join()
