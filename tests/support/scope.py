"""A probe and app of Weave Scope 1.13, as far as plugins meet them: written from what is known of its protocol, not from ours.

It looks for sockets, asks for reports, checks them in Scope's own order, rewrites and merges nodes as its registry and app do, presses
buttons, and tells what a user would see. What would end the real probe or app is a Panic.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import stat
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

API_VERSION = "1"
TIMEOUT_S = 0.5
LARGEST = 50 << 20
GOOD_ID = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
DELIMITER = ";"
DOCKER_CONTROLS = {
    "running": ("restart", "stop", "pause", "attach", "exec"),
    "paused": ("unpause",),
    "exited": ("start", "remove"),
}
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

    def report(self, plugin: str) -> Report:
        """A report that the registry takes. Raises Rejected."""
        answer = self.ask(plugin, "GET", "/report")
        if answer.status != 200:
            raise Rejected(f"plugin returned non-200 status code: {answer.status}: {answer.body[:300]!r}")
        return self.take(plugin, answer.body)

    def take(self, plugin: str, body: bytes) -> Report:
        """What the decoder and the registry make of a report. Raises Rejected."""
        found = decoded(body)
        spec = self._spec(plugin, found)
        return Report(found, plugin, self.id, controller="controller" in spec["interfaces"])

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
        return self.post(
            plugin, {"AppID": "", "Control": control, "ControlArgs": arguments, "NodeID": f"{container};<container>"}
        )

    def post(self, plugin: str, body: Json) -> Pressed:
        """A request of the app's, written as Go writes it. Raises Rejected."""
        text = json.dumps(body, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e")
        answer = self.ask(plugin, "POST", "/control", text.encode())
        if answer.status != 200:
            raise Rejected(f"plugin returned non-200 status code: {answer.status}: {answer.body[:300]!r}")
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
    """A report that was taken. controller: its buttons are registered."""

    plain: Json
    plugin: str
    probe: str
    controller: bool

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

    def rewritten(self, container: str) -> Json:
        """A node as the registry hands it on: its buttons as one text, stamped now; foreign ids as they are."""
        node = dict(self.nodes[f"{container};<container>"])
        own = self.topology.get("controls", {})
        alive = [key for key, value in node.pop("latestControls", {}).items() if not value["value"]["dead"]]
        if self.controller:
            told = DELIMITER.join(f"{self.plugin}~{key}" if key in own else key for key in alive)
            now = datetime.now().astimezone().isoformat()
            node["latest"] = {**node.get("latest", {}), "active_controls": {"timestamp": now, "value": told}}
        return node

    def seen(self, container: str, beside: Json, *, last: bool = True) -> Seen:
        """What a user sees of a container that another reporter reports, too. last: the plugin's report is the newer one."""
        ours = self.rewritten(container)
        if not last:
            beside = {**beside, "latest": {key: {**each, "timestamp": later(ours)} for key, each in beside["latest"].items()}}
        node = merged(beside, ours)
        return Seen(node, self.topology)

    def values(self, container: str) -> dict[str, str]:
        """The latest values of a node."""
        return {key: each["value"] for key, each in self.nodes[f"{container};<container>"]["latest"].items()}

    def table(self, container: str) -> dict[str, str]:
        """The rows of the original's table."""
        return Seen(self.rewritten(container), self.topology).properties("traffic-control-table")


@dataclass
class Seen:
    """The details of a node, as the app makes them."""

    node: Json
    topology: Json

    @property
    def buttons(self) -> list[str]:
        """None without a probe to send them to."""
        latest = self.node["latest"]
        if not latest.get("control_probe_id", {}).get("value"):
            return []
        return [key for key in latest.get("active_controls", {"value": ""})["value"].split(DELIMITER) if key]

    def properties(self, table: str) -> dict[str, str]:
        template = self.topology["table_templates"][table]
        assert template.get("type", "property-list") == "property-list"
        prefix = template["prefix"]
        return {key.removeprefix(prefix): each["value"] for key, each in self.node["latest"].items() if key.startswith(prefix)}

    def rows(self, table: str) -> dict[str, dict[str, str]]:
        template = self.topology["table_templates"][table]
        assert template["type"] == "multicolumn-table"
        columns = {column["id"] for column in template["columns"]}
        found: dict[str, dict[str, str]] = {}
        for key, each in self.node["latest"].items():
            if key.startswith(template["prefix"]):
                row, separator, column = key.removeprefix(template["prefix"]).partition("___")
                if not separator:
                    raise Panic(f"{key} is no cell of {table}")
                assert column in columns, key
                found.setdefault(row, {})[column] = each["value"]
        return found

    @property
    def metadata(self) -> dict[str, str]:
        """By label, in the order of priority; only templates whose id is a key have a row."""
        templates = sorted(self.topology.get("metadata_templates", {}).values(), key=lambda each: each["priority"])
        latest = self.node["latest"]
        return {each["label"]: latest[each["id"]]["value"] for each in templates if each["id"] in latest}


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


def docker_node(state: str, probe: str) -> Json:
    """What the Docker probe reports of a container, as far as plugins get in its way."""
    now = datetime.now().astimezone().isoformat()
    controls = DELIMITER.join(f"docker_{each}_container" for each in DOCKER_CONTROLS[state])
    values = {"docker_container_state": state, "control_probe_id": probe, "active_controls": controls}
    return {"topology": "container", "latest": {key: {"timestamp": now, "value": value} for key, value in values.items()}}


def cri_node() -> Json:
    """What the CRI probe reports: no buttons, and no probe to send any to."""
    now = datetime.now().astimezone().isoformat()
    return {"topology": "container", "latest": {"docker_container_state": {"timestamp": now, "value": "running"}}}


def merged(one: Json, other: Json) -> Json:
    """Two reports of a node: each key by its newest value."""
    kinds = {node["topology"] for node in (one, other) if node.get("topology")}
    if len(kinds) > 1:
        raise Panic(f"Cannot merge nodes with different topology types: {kinds}")
    latest = dict(one["latest"])
    for key, each in other["latest"].items():
        if key not in latest or moment(each) >= moment(latest[key]):
            latest[key] = each
    return {**one, **other, "latest": latest}


def moment(each: Json) -> datetime:
    return datetime.fromisoformat(each["timestamp"])


def later(node: Json) -> str:
    """A timestamp that nothing of a node's is newer than."""
    newest = max(moment(each) for each in node["latest"].values())
    return newest.replace(year=newest.year + 1, day=1).isoformat()
