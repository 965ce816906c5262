"""The app and page of Weave Scope 1.13, as far as plugins deal with them: what is merged, and what of it a user sees.

The limits are those of the real page (1.13.2, measured in Chromium). Not here: the probe (scope).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.support.scope import DELIMITER, Json, Panic, Report

WINDOW = timedelta(seconds=15)
"""The app merges the reports of this time. It keeps what only an older one of them has."""
ICONS = 12
"""The panel has one row of icons for controls, and cuts off what is behind these."""
ROWS, PRIME = 8, 10
"""Rows of metadata that the panel shows: those of a priority below PRIME, and no more than ROWS. The rest is behind a +N."""
LETTERS = 14
"""Of a label; the rest is cut off."""
COLUMNS = 4
"""Of a table of conditions: more of them are narrower than a word, since the table has 350 px."""
METRICS = 3
"""Of a plugin: each is a button of the toolbar; six make the page wider than the screen."""
DOCKERS = {
    "attach": 1, "exec": 2, "start": 3, "restart": 4, "pause": 5, "unpause": 6, "stop": 7, "remove": 8,
}  # fmt: skip
"""The Docker reporter's controls, and their ranks."""
DOCKER_CONTROLS = {
    "running": ("restart", "stop", "pause", "attach", "exec"),
    "paused": ("unpause",),
    "exited": ("start", "remove"),
}
DOCKER_ROWS = ("Image tag", "Image name", "Command", "State", "Uptime", "Restart #", "Networks", "IPs")
"""Of the Docker reporter, in the order of their priorities, which begin with 1."""
DOCKER_REPORTS_S = 0.09
"""How long the Docker reporter takes. It begins when the plugin is asked, and the controls of the later one win: a plugin's answer that was
held back 100 ms was always the later one."""


@dataclass
class App:
    """What the app has of one host: nodes by container, with the times when they came."""

    topology: Json = field(default_factory=dict)
    status: str = ""
    came: dict[str, list[tuple[datetime, Json]]] = field(default_factory=dict)

    def take(self, report: Report, at: datetime, *, shortcut: bool = False) -> None:
        """A report of a plugin. The probe writes the status into regular ones; a shortcut report has its own."""
        self.topology = report.topology
        self.status = report.status if shortcut else "ok"
        for node in report.nodes:
            container = node.removesuffix(";<container>")
            self.add(container, report.rewritten(container, at), at)

    def add(self, container: str, node: Json, at: datetime) -> None:
        """A node of any reporter."""
        self.came.setdefault(container, []).append((at, node))

    def seen(self, container: str, at: datetime) -> Seen:
        """The details of a node, at this time."""
        nodes = [node for came, node in self.came[container] if at - WINDOW < came <= at]
        return Seen(merged(*nodes), self.topology)


@dataclass
class Seen:
    """The details of a node, as the page shows them."""

    node: Json
    topology: Json

    @property
    def buttons(self) -> list[str]:
        """The controls that the node has. None without a probe to send them to."""
        latest = self.node["latest"]
        if not latest.get("control_probe_id", {}).get("value"):
            return []
        return [key for key in latest.get("active_controls", {"value": ""})["value"].split(DELIMITER) if key]

    @property
    def icons(self) -> list[str]:
        """The controls that can be reached: the first of the row, by rank."""
        return sorted(self.buttons, key=self._rank)[:ICONS]

    def _rank(self, control: str) -> int:
        own: Json = self.topology.get("controls", {}).get(control.partition("~")[2], {})
        return int(own.get("rank", 0)) or DOCKERS[control.removeprefix("docker_").removesuffix("_container")]

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
        """The plugin's, by label, in the order of priority; only templates whose id is a key have a row."""
        return {label: value for _, label, value in self._own_rows()}

    def _own_rows(self) -> list[tuple[float, str, str]]:
        latest, templates = self.node["latest"], self.topology.get("metadata_templates", {}).values()
        return sorted(
            (each["priority"], each["label"], latest[each["id"]]["value"]) for each in templates if each["id"] in latest
        )

    @property
    def visible(self) -> list[str]:
        """The labels of the metadata that is seen without a click, as they are cut, Docker's among them."""
        rows = [(float(number), label, "") for number, label in enumerate(DOCKER_ROWS, 1)] + self._own_rows()
        prime = [label for priority, label, _ in sorted(rows) if priority < PRIME]
        return [cut(label) for label in prime[:ROWS]]

    @property
    def metrics(self) -> dict[str, float]:
        """The newest sample of each metric, by its label."""
        found = self.node.get("metrics", {})
        templates = self.topology.get("metric_templates", {}).values()
        return {each["label"]: found[each["id"]]["samples"][-1]["value"] for each in templates if each["id"] in found}


def cut(label: str) -> str:
    """A label as it is seen."""
    return label if len(label) < LETTERS else f"{label[: LETTERS - 1]}…"


def docker_node(state: str, probe: str, at: datetime | None = None) -> Json:
    """What the Docker reporter says of a container, as far as plugins get in its way."""
    moment = (at or datetime.now().astimezone()).isoformat()
    controls = DELIMITER.join(f"docker_{each}_container" for each in DOCKER_CONTROLS[state])
    values = {"docker_container_state": state, "control_probe_id": probe, "active_controls": controls}
    return {"topology": "container", "latest": {key: {"timestamp": moment, "value": value} for key, value in values.items()}}


def cri_node() -> Json:
    """What the CRI reporter says: no controls, and no probe to send any to."""
    now = datetime.now().astimezone().isoformat()
    return {"topology": "container", "latest": {"docker_container_state": {"timestamp": now, "value": "running"}}}


def merged(*nodes: Json) -> Json:
    """Reports of one node: each key by its newest value, each metric by its newest sample."""
    kinds = {node["topology"] for node in nodes if node.get("topology")}
    if len(kinds) > 1:
        raise Panic(f"Cannot merge nodes with different topology types: {kinds}")
    latest: Json = {}
    metrics: Json = {}
    for node in nodes:
        for key, each in node["latest"].items():
            if key not in latest or moment(each) >= moment(latest[key]):
                latest[key] = each
        metrics |= node.get("metrics", {})
    return {**{key: value for node in nodes for key, value in node.items()}, "latest": latest, "metrics": metrics}


def moment(each: Json) -> datetime:
    return datetime.fromisoformat(each["timestamp"])


def beside(report: Report, container: str, other: Json, *, last: bool = True) -> Seen:
    """What a user sees of a container that another reporter reports, too. last: the plugin's report is the newer one."""
    at = datetime.now().astimezone()
    node = report.rewritten(container, at)
    if not last:
        newest = max(at, *map(moment, node["latest"].values())) + timedelta(seconds=1)
        other = {**other, "latest": {key: {**each, "timestamp": newest.isoformat()} for key, each in other["latest"].items()}}
    return Seen(merged(other, node), report.topology)


def tick(app: App, report: Report, began: datetime, states: Iterable[tuple[str, str]] = ()) -> None:
    """One interval of the probe: the Docker reporter and the plugin are asked together, and the later one's controls win.

    states: of Docker's containers.
    """
    app.take(report, began + timedelta(seconds=report.took))
    docker = began + timedelta(seconds=DOCKER_REPORTS_S)
    for container, state in states:
        app.add(container, docker_node(state, report.probe, docker), docker)
