"""The report that Scope's probe asks for, as JSON. Pure: containers, their conditions and a time become bytes.

Scope 1.13's rules that shape it, each with its trap. A plugin's list of controls replaces the Docker reporter's, so ours has those, too
(T1). A node without controls would lose them (T2). `topology` stays out: a wrong one ends the probe (T3). Nodes are those that the probe
reports as well (T4). Of CRI's containers nobody says which probe controls them, so we do (T5). The app keeps for 15 s what a report leaves
out, so that nothing is left out as long as it could be wrong. The page cuts labels after 13 letters, and shows 4 columns of a table. The
probe decodes as long as half a second for the largest report that it takes, so that each byte counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, Final

from netweather.scope.buttons import ROOM, SUFFIX, Button
from netweather.scope.picture import Picture, SeenCondition
from netweather.scope.summary import UNSET, hidden, properties, row, sentence
from netweather.targets.census import Container

TABLE: Final = "traffic-control-table-"
"""Of the original's table: a list of two properties, each labelled by what follows."""
CONDITIONS: Final = "nwc-"
"""Of the table of conditions: a row each."""
BUDGET: Final = 470_000
"""Bytes of a report: the slowest decoding that was measured takes 150 ms for them. Beyond it, containers without conditions are brief."""
_DOCKERS: Final = {
    "running": ("restart", "stop", "pause", "attach", "exec"),
    "paused": ("unpause",),
    "stopped": ("start", "remove"),
}
"""The Docker reporter's own controls for each state of a container."""
_COLUMNS: Final = {"what": "What", "packets": "Packets", "rtt": "Round trip", "state": "State"}
_METADATA: Final = {
    "nw-summary": ("Condition", 3.5),
    f"{TABLE}latency": ("Latency", 13.5),
    f"{TABLE}pktloss": ("Packet Loss", 13.6),
    "nw-engine": ("Made by", 13.7),
    "nw-lease": ("Ends", 13.8),
}
"""Labels and priorities. Those below 10 are seen without a click."""
_METRICS: Final = {
    "nw-degraded": ("Degraded", "integer", 8.1),
    "nw-rtt": ("RTT, ms", "number", 8.2),
    "nw-resent": ("Retransmits/s", "number", 8.3),
}
"""Labels, formats and priorities. Each is a button in the page's toolbar. No id is one of the metadata, too: the page mixes them up."""
_ABOUT: Final = "Adds traffic controls to the running Docker containers, and those of CRI runtimes"


@dataclass(frozen=True)
class ReportRequest:
    """Who asks, and when. probe: the probe's id."""

    probe: str
    now: datetime

    @cached_property
    def stamp(self) -> str:
        """RFC 3339 with its zone: one that is written otherwise breaks the whole report."""
        return _stamp(self.now.timestamp())


@dataclass(frozen=True)
class Reporter:
    """plugin: the plugin's id, which is its socket's name. notes: by a container's id, what is to be known of it.

    controls: all that can be pressed, by id. panel: those of them that the page shows, by rank, as far as there is room.
    before_1_13: each control of a node for itself, as Scope before 1.13 reads them, which makes the report twice as large.
    """

    plugin: str
    controls: Mapping[str, Button]
    notes: Mapping[str, str] = field(default_factory=dict)
    panel: tuple[str, ...] = ()
    before_1_13: bool = False

    def report(self, picture: Picture, asked: ReportRequest, only: Iterable[Container] | None = None) -> bytes:
        """The whole report; only: with these containers alone, as after a click."""
        chosen = [each for each in (picture.containers if only is None else only) if _is_told(each)]
        tops = _tops(picture)
        nodes = {each.id: self._node(each, picture, asked, tops) for each in chosen if self._is_told_of(each, picture)}
        rest = [each for each in chosen if each.id not in nodes]
        left = BUDGET - sum(map(len, nodes.values()))
        brief = rest and len(rest) * len(self._node(rest[0], picture, asked, tops)) > left
        nodes |= {each.id: self._brief(each, asked) if brief else self._node(each, picture, asked, tops) for each in rest}
        return f'{{"Container":{{{self._topology},"nodes":{{{",".join(nodes.values())}}}}},"Plugins":[{self._spec}]}}'.encode(
            errors="replace"
        )

    @cached_property
    def _spec(self) -> str:
        """With the status that a report of its own would get: a shortcut report without it shows the plugin as broken."""
        return _json({
            "id": self.plugin, "label": "Traffic control", "description": _ABOUT, "interfaces": ["reporter", "controller"],
            "api_version": "1", "status": "ok",
        })  # fmt: skip

    @cached_property
    def _topology(self) -> str:
        parts = {
            "controls": {key: control.plain() for key, control in self.controls.items()},
            "metadata_templates": {
                key: {"id": key, "label": label, "priority": priority, "from": "latest"} for key, (label, priority) in _METADATA.items()
            },
            "metric_templates": {
                key: {"id": key, "label": label, "format": form, "priority": priority}
                for key, (label, form, priority) in _METRICS.items()
            },
            "table_templates": {
                "traffic-control-table": {"id": "traffic-control-table", "label": "Traffic Control", "prefix": TABLE},
                "netweather-table": {
                    "id": "netweather-table", "label": "Network conditions", "prefix": CONDITIONS, "type": "multicolumn-table",
                    "columns": [{"id": key, "label": label, "dataType": ""} for key, label in _COLUMNS.items()],
                },
            },
        }  # fmt: skip
        return _json(parts)[1:-1]

    def _note(self, container: Container, picture: Picture) -> str:
        return self.notes.get(container.id) or container.note or picture.problem

    def _is_told_of(self, container: Container, picture: Picture) -> bool:
        return bool(picture.of(container) or picture.ended_of(container) or self.notes.get(container.id))

    def _node(self, container: Container, picture: Picture, asked: ReportRequest, tops: Mapping[str, float]) -> str:
        standing, note, now = picture.of(container), self._note(container, picture), asked.now.timestamp()
        values = {
            "nw-summary": sentence(standing, note, now),
            **{TABLE + key: value for key, value in properties(standing).items()},
            "nw-engine": ", ".join(sorted({each.shown.engine for each in standing})) or UNSET,
            "nw-lease": _ends(standing),
            **_rows((*standing, *picture.ended_of(container)), hidden(standing), now),
        }
        return self._with_controls(container, asked, values, {"metrics": _metrics(container, picture, tops, asked)})

    def _brief(self, container: Container, asked: ReportRequest) -> str:
        """A node with its controls and no more."""
        return self._with_controls(container, asked, {}, {})

    def _with_controls(self, container: Container, asked: ReportRequest, values: dict[str, str], more: dict[str, Any]) -> str:
        """A node as the report has it: its key and what stands there."""
        active = _active(container, self.panel)
        if not self.before_1_13:
            values["active_controls"] = ";".join(active)
        if container.runtime == "cri":
            values["control_probe_id"] = asked.probe
        node: dict[str, Any] = {
            "latest": {key: {"timestamp": asked.stamp, "value": value} for key, value in values.items()},
            **more,
        }
        if self.before_1_13:
            every = dict.fromkeys((*self.panel, *active))
            node["latestControls"] = {key: {"timestamp": asked.stamp, "value": {"dead": key not in active}} for key in every}
        return f"{_json(container.id + SUFFIX)}:{_json(node)}"


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _is_told(container: Container) -> bool:
    """Not those of CRI that have no network of their own: nobody else has controls for them."""
    return container.runtime == "docker" or not container.note


def _active(container: Container, panel: tuple[str, ...]) -> list[str]:
    """The controls of a container: ours when it can be a target, as far as there is room beside the Docker reporter's, and those."""
    dockers = [f"docker_{word}_container" for word in _DOCKERS[container.state]] if container.runtime == "docker" else []
    alive = container.state == "running" and container.identity is not None and not container.note
    return [*(panel[: ROOM - len(dockers)] if alive else ()), *dockers]


def _ends(standing: tuple[SeenCondition, ...]) -> str:
    """When the network is as before."""
    ends = [each.ends_at for each in standing]
    if not ends:
        return UNSET
    known = [end for end in ends if end is not None]
    return f"{datetime.fromtimestamp(max(known), UTC):%m-%d %H:%M} UTC" if len(known) == len(ends) else "never"


def _rows(standing: tuple[SeenCondition, ...], hides: set[str], now: float) -> dict[str, str]:
    return {f"{CONDITIONS}{each.name}___{column}": value for each in standing for column, value in row(each, hides, now).items()}


def _metrics(container: Container, picture: Picture, tops: Mapping[str, float], asked: ReportRequest) -> dict[str, Any]:
    """Each with one sample, and the same scale for all containers, by which the page fills them."""
    degraded = any(each.shown.in_force for each in picture.of(container))
    fares = picture.fares_of(container)
    values: dict[str, tuple[float, str]] = {"nw-degraded": (int(degraded), asked.stamp)}
    for key, value in _measured(picture, container).items():
        if fares is not None:
            values[key] = (value, _stamp(fares.seen_at))
    return {
        key: {"samples": [{"date": date, "value": round(value, 3)}], "max": tops.get(key, 1)}
        for key, (value, date) in values.items()
    }


def _measured(picture: Picture, container: Container) -> dict[str, float]:
    fares = picture.fares_of(container)
    if fares is None:
        return {}
    rtt = fares.faring.rtt
    values = {"nw-rtt": None if rtt is None else rtt / 1000, "nw-resent": fares.again_per_s}
    return {key: value for key, value in values.items() if value is not None}


def _tops(picture: Picture) -> dict[str, float]:
    """The largest value of each metric on this host, rounded up to 1, 2 or 5 of its decimal place."""
    found: dict[str, float] = {}
    for container in picture.containers:
        for key, value in _measured(picture, container).items():
            found[key] = max(found.get(key, 1), value)
    return {key: _round_up(value) for key, value in found.items()}


def _round_up(value: float) -> float:
    place = 1
    while place * 10 < value:
        place *= 10
    return next(place * step for step in (1, 2, 5, 10) if place * step >= value)


@lru_cache(maxsize=1024)
def _stamp(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat(timespec='milliseconds')[:22]}Z"
