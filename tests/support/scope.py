"""A probe of Weave Scope 1.13, as far as plugins deal with it: written from what is known of its protocol, not from ours.

It looks for sockets, requests reports, checks them in Scope's own order, rewrites nodes as its registry does, and presses buttons. Its
clock includes decoding, as the real probe's does. What would end the real probe or app is a Panic. Not here: what the app merges and its
page shows (scopeapp).
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

API_VERSION = "1"
TIMEOUT_S = 0.5
DECODING_S_PER_BYTE = 1.9 / 6_000_000
"""How long the real probe decodes, which counts as the plugin's time. It reads single bytes. Measured with Scope 1.13.2 and about 6 kB for
each container: 100 containers 33 ms, 300 208 to 442 ms, 500 257 to 444 ms, 1,000 0.9 to 1.9 s. This is the slowest of these."""
DECODING_LIMITS_S = {"/report": 0.3, "/control": 0.1}
"""What the time limit leaves for decoding, when the plugin answers after 0.2 s, or 0.4 s."""
ROOM_FOR_300_S = 0.15
"""How long a report of 300 containers may be decoded: it leaves time for making it on a host that is as busy."""
LARGEST = 50 << 20
GOOD_ID = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
DELIMITER = ";"
Json = dict[str, Any]


class Rejected(Exception):
    """The registry or the decoder refuses a report: what stands in the plugin's status."""


class Panic(Exception):
    """The probe or the app would end."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("plugin", timeout=timeout_s)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


@dataclass
class Answer:
    """status, body, and how long it took, in seconds."""

    status: int
    body: bytes
    took: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Probe:
    """root: where plugins are looked for. id: the probe's own. timeout_s: Scope's; more where time is not what is tested."""

    root: Path
    id: str = "probe-7"
    timeout_s: float = TIMEOUT_S
    known: dict[str, str] = field(default_factory=dict)
    """The ids that plugins had in their first report."""
    status: dict[str, str] = field(default_factory=dict)
    """By plugin, what the page shows of it: "ok", or "error: …"."""
    registered: dict[str, set[str]] = field(default_factory=dict)
    """By plugin, the controls of its last report or shortcut report, which alone can be pressed."""

    def plugins(self) -> dict[str, Path]:
        """The sockets by their ids."""
        sockets = [path for path in sorted(self.root.rglob("*")) if stat.S_ISSOCK(path.lstat().st_mode)]
        assert all(GOOD_ID.fullmatch(path.stem) for path in sockets), sockets
        return {path.stem: path for path in sockets}

    def ask(self, plugin: str, method: str, path: str, body: bytes | None = None) -> Answer:
        """One request, which must be over in time."""
        connection = _Connection(self.plugins()[plugin], self.timeout_s)
        begin = time.monotonic()
        headers = {"Accept-Encoding": "gzip", "Content-Type": "application/json"}
        try:
            connection.request(method, f"{path}?api_version={API_VERSION}&probe_id={self.id}", body, headers)
            answer = connection.getresponse()
            found = Answer(answer.status, answer.read(), time.monotonic() - begin)
        except TimeoutError:
            raise Rejected("context deadline exceeded") from None
        finally:
            connection.close()
        if found.took > self.timeout_s:
            raise Rejected("context deadline exceeded")
        assert len(found.body) < LARGEST
        return found

    def _decodable(self, plugin: str, method: str, path: str, body: bytes | None = None) -> Answer:
        """An answer that the decoder can take in time. The time is computed from its size, so that no machine is too slow for it."""
        answer = self.ask(plugin, method, path, body)
        if answer.status != 200:
            raise Rejected(f"plugin returned non-200 status code: {answer.status}: {answer.body[:300]!r}")
        if decoding_s(answer.body) > DECODING_LIMITS_S[path]:
            raise Rejected("context deadline exceeded")
        return answer

    def report(self, plugin: str) -> Report:
        """A report that the registry takes. Raises Rejected."""
        with self._registering(plugin):
            answer = self._decodable(plugin, "GET", "/report")
            return self.take(plugin, answer.body, answer.took)

    def take(self, plugin: str, body: bytes, took: float = 0.0) -> Report:
        """What the decoder and the registry make of a report. Raises Rejected."""
        found = decoded(body)
        spec = self._spec(plugin, found)
        self.registered[plugin] = set(found.get("Container", {}).get("controls", {}))
        return Report(found, plugin, self.id, "controller" in spec["interfaces"], took)

    @contextmanager
    def _registering(self, plugin: str) -> Iterator[None]:
        """A report that is refused leaves no control registered, and is the plugin's status."""
        try:
            yield
        except Rejected as error:
            self.registered[plugin], self.status[plugin] = set(), f"error: {error}"
            raise
        self.status[plugin] = "ok"

    def _spec(self, plugin: str, found: Json) -> Json:
        """The registry's checks, in its order."""
        specs = found.get("Plugins", [])
        if len(specs) != 1:
            raise Rejected(f"report must contain exactly one plugin (found {len(specs)})")
        (spec,) = specs
        if spec.get("id", "") != self.known.setdefault(plugin, plugin):
            raise Rejected(f'plugin must not change its id (is "{spec.get("id")}", should be "{plugin}")')
        if spec.get("api_version", "") != API_VERSION:
            raise Rejected(f'incorrect API version: expected "1", got "{spec.get("api_version", "")}"')
        if not spec.get("label"):
            raise Rejected("spec must contain a label")
        if "reporter" not in spec.get("interfaces", []):
            raise Rejected('spec must implement the "reporter" interface')
        return dict(spec)

    def press(self, plugin: str, container: str, control: str, *, arguments: Json | None = None) -> Pressed:
        """A button of the picture, as the app passes it on. Raises Rejected."""
        if control not in self.registered.get(plugin, {control}):
            raise Rejected(f'Control "{plugin}~{control}" not recognised')
        return self.post(
            plugin, {"AppID": "", "Control": control, "ControlArgs": arguments, "NodeID": f"{container};<container>"}
        )

    def post(self, plugin: str, body: Json) -> Pressed:
        """A request of the app's, written as Go writes it. Raises Rejected."""
        text = json.dumps(body, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e")
        answer = self._decodable(plugin, "POST", "/control", text.encode())
        found = answer.json
        shortcut = found.get("shortcutReport")
        if shortcut is not None and len(shortcut.get("Plugins", [])) != 1:
            raise Panic("index out of range: a shortcut report without its plugin")
        report = None if shortcut is None else self.take(plugin, json.dumps(shortcut).encode())
        return Pressed(found.get("error", ""), report, answer.took)


@dataclass
class Pressed:
    """What came of a button: the error that a user sees, the report that came with it, and how long it took."""

    error: str
    report: Report | None
    took: float


@dataclass
class Report:
    """A report that was taken. controller: its controls are registered. took: seconds until the plugin had answered."""

    plain: Json
    plugin: str
    probe: str
    controller: bool
    took: float = 0.0

    @property
    def topology(self) -> Json:
        found: Json = self.plain.get("Container", {})
        return found

    @property
    def nodes(self) -> Json:
        found: Json = self.topology.get("nodes", {})
        return found

    @property
    def controls(self) -> Json:
        """As registered: prefixed by the plugin's id."""
        found: Json = self.topology.get("controls", {})
        return {f"{self.plugin}~{key}": value for key, value in found.items()}

    @property
    def status(self) -> str:
        """What the plugin says of itself: a shortcut report's replaces the probe's own."""
        found: str = self.plain["Plugins"][0].get("status", "")
        return found

    def active(self, container: str) -> list[str]:
        """A node's controls, by the plugin's own ids, as either form has them."""
        node = self.nodes[f"{container};<container>"]
        if old := node.get("latestControls"):
            return [key for key, value in old.items() if not value["value"]["dead"]]
        told: str = node.get("latest", {}).get("active_controls", {}).get("value", "")
        return told.split(DELIMITER) if told else []

    def rewritten(self, container: str, arrived: datetime | None = None) -> Json:
        """A node as the registry hands it on: its controls as one text, with the time of arrival; foreign ids are kept."""
        node = {key: value for key, value in self.nodes[f"{container};<container>"].items() if key != "latestControls"}
        if self.controller:
            own = self.topology.get("controls", {})
            told = DELIMITER.join(f"{self.plugin}~{key}" if key in own else key for key in self.active(container))
            moment = (arrived or datetime.now().astimezone()).isoformat()
            node["latest"] = {**node.get("latest", {}), "active_controls": {"timestamp": moment, "value": told}}
        return node

    def values(self, container: str) -> dict[str, str]:
        """The latest values of a node."""
        return {key: each["value"] for key, each in self.nodes[f"{container};<container>"]["latest"].items()}

    def table(self, container: str) -> dict[str, str]:
        """The rows of the original's table."""
        prefix = "traffic-control-table-"
        return {key.removeprefix(prefix): value for key, value in self.values(container).items() if key.startswith(prefix)}


def decoding_s(body: bytes) -> float:
    """How long the real probe would decode this."""
    return len(body) * DECODING_S_PER_BYTE


def decoded(body: bytes) -> Json:
    """The decoder: one JSON object, whatever is behind it, with timestamps that Go understands. Raises Rejected."""
    try:
        found, _ = json.JSONDecoder().raw_decode(body.decode())
    except ValueError as error:
        raise Rejected(f"decoding error: {error}") from error
    if not isinstance(found, dict):
        raise Rejected("decoding error: no object")
    for moment in timestamps(found):
        if not isinstance(moment, str) or not RFC3339.fullmatch(moment):
            raise Rejected(f"parsing time {moment!r}")
        datetime.fromisoformat(moment)
    return found


def timestamps(found: Any) -> list[Any]:
    """Every value that Scope reads as a time."""
    if isinstance(found, list):
        return [each for item in found for each in timestamps(item)]
    if not isinstance(found, dict):
        return []
    here = [value for key, value in found.items() if key in ("timestamp", "date") and not isinstance(value, dict)]
    return here + [each for value in found.values() for each in timestamps(value)]
