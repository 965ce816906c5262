"""The report that Scope's probe asks for, as JSON. Pure: containers, their conditions and a time become bytes.

Scope 1.13's rules that shape it, each with its trap. A plugin's list of buttons replaces the Docker probe's own, so those stand in ours,
too (T1). A node without any would lose them (T2). `topology` stays out: a wrong one ends the probe (T3). Nodes are those that the probe
reports as well (T4). Of CRI's containers nobody tells which probe controls them, so we do (T5).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, Final

from netweather.conditions import Rule
from netweather.conditions.flags import rule_to_flags
from netweather.engine import Shown
from netweather.engine.experience import Experienced
from netweather.scope.controls import NAME, SUFFIX, Control, Wish, wish_of
from netweather.scope.picture import Fares, Picture, Standing
from netweather.targets.census import Container

TABLE: Final = "traffic-control-table-"
"""Of the original's table: a list of properties, each labelled by what follows."""
CONDITIONS: Final = "netweather-table-"
"""Of the table of conditions: a row each."""
UNSET: Final = "-"
_DOCKERS: Final = {
    "running": ("restart", "stop", "pause", "attach", "exec"),
    "paused": ("unpause",),
    "stopped": ("start", "remove"),
}
"""The Docker probe's own buttons for each state of a container."""
_COLUMNS: Final = {
    "what": "What",
    "engine": "Engine",
    "lease": "Ends",
    "packets": "Packets",
    "dropped": "Dropped",
    "rtt": "Round trip",
    "again": "Sent again",
    "owner": "Owner",
    "state": "State",
}
_METADATA: Final = {
    "traffic-control-latency": ("Latency", "", 13.5),
    "traffic-control-pktloss": ("Packet Loss", "", 13.6),
    "netweather-conditions": ("Network conditions", "", 13.7),
    "netweather-engine": ("Made by", "", 13.8),
    "netweather-lease": ("Network as before", "datetime", 13.9),
    "netweather-rtt": ("Round trip of TCP", "", 13.91),
    "netweather-retransmits": ("Segments sent again", "number", 13.92),
}
_METRICS: Final = {
    "netweather-packets": ("Packets met by conditions, per second", "number", 8.1),
    "netweather-dropped": ("Packets dropped by conditions, per second", "number", 8.2),
    "netweather-rtt": ("Round trip of TCP, in ms", "number", 8.3),
    "netweather-retransmits": ("Segments sent again, per second", "number", 8.4),
    "netweather-received": ("Received, per second", "filesize", 8.5),
    "netweather-sent": ("Sent, per second", "filesize", 8.6),
}
_ABOUT: Final = "Adds traffic controls to the running Docker containers, and those of CRI runtimes"


@dataclass(frozen=True)
class Asked:
    """Who asks, and when. probe: the probe's id."""

    probe: str
    now: datetime

    @cached_property
    def stamp(self) -> str:
        """RFC 3339 with its zone: one that is written otherwise breaks the whole report."""
        return self.now.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Reporter:
    """plugin: the plugin's id, which is its socket's name. notes: by a container's id, what is to be known of it."""

    plugin: str
    controls: Mapping[str, Control]
    notes: Mapping[str, str] = field(default_factory=dict)

    def report(self, picture: Picture, asked: Asked, only: Iterable[Container] | None = None) -> bytes:
        """The whole report; only: with these containers alone, as after a button."""
        chosen = [each for each in (picture.containers if only is None else only) if _is_told(each)]
        buttons = {key: _buttons(self.controls, *key, asked.stamp) for key in {_kind(each) for each in chosen}}
        nodes = ",".join(self._node(each, picture, asked, buttons[_kind(each)]) for each in chosen)
        return f'{{"Container":{{{self._topology()},"nodes":{{{nodes}}}}},"Plugins":[{self._spec()}]}}'.encode()

    def _spec(self) -> str:
        interfaces = ["reporter", "controller"]
        return json.dumps(
            {"id": self.plugin, "label": "Traffic control", "description": _ABOUT, "interfaces": interfaces, "api_version": "1"}
        )

    def _topology(self) -> str:
        parts = {
            "controls": {key: control.plain() for key, control in self.controls.items()},
            "metadata_templates": {
                key: {"id": key, "label": label, "dataType": kind, "priority": priority, "from": "latest"}
                for key, (label, kind, priority) in _METADATA.items()
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
        return json.dumps(parts)[1:-1]

    def _node(self, container: Container, picture: Picture, asked: Asked, buttons: str) -> str:
        """buttons: as JSON; they are alike for hundreds of containers, and most of the report."""
        standing, fares = picture.of(container), picture.fares_of(container)
        note = self.notes.get(container.id) or container.note or picture.problem
        table = _table(standing, note)
        values = {
            **table,
            **_metadata(standing, table),
            **_fared(fares),
            **_rows(standing, asked),
        }
        if container.runtime == "cri":
            values["control_probe_id"] = asked.probe
        latest = {key: {"timestamp": asked.stamp, "value": value} for key, value in values.items()}
        rest = json.dumps({"latest": latest, "metrics": {**_metrics(standing), **_fare_metrics(fares)}})[1:]
        return f'{json.dumps(container.id + SUFFIX)}:{{"latestControls":{buttons},{rest}'


def _is_told(container: Container) -> bool:
    """Not those of CRI that have no network of their own: nobody else has buttons for them."""
    return container.runtime == "docker" or not container.note


def _kind(container: Container) -> tuple[str, str, bool]:
    return container.runtime, container.state, container.state == "running" and not container.note


def _buttons(controls: Iterable[str], runtime: str, state: str, alive: bool, stamp: str) -> str:
    dead = {"timestamp": stamp, "value": {"dead": not alive}}
    live = {"timestamp": stamp, "value": {"dead": False}}
    dockers = [f"docker_{word}_container" for word in _DOCKERS[state]] if runtime == "docker" else []
    return json.dumps({**dict.fromkeys(controls, dead), **dict.fromkeys(dockers, live)})


def _table(standing: tuple[Standing, ...], note: str) -> dict[str, str]:
    """The original's rows, and ours: always all of them, since Scope keeps what a later report leaves out."""
    wishes = [wish_of(each.shown.condition) for each in _ours_first(standing)]
    rows = {
        "latency": next((_milliseconds(wish) for wish in wishes if wish.delay), UNSET),
        "pktloss": next((str(wish.loss) for wish in wishes if wish.loss), UNSET),
        "bandwidth": next((str(wish.rate) for wish in wishes if wish.rate), UNSET),
        "network": next((wish.profile for wish in wishes if wish.profile), UNSET),
        "note": note or UNSET,
    }
    return {TABLE + key: value for key, value in rows.items()}


def _ours_first(standing: tuple[Standing, ...]) -> list[Standing]:
    return sorted(standing, key=lambda each: each.shown.condition.name != NAME)


def _milliseconds(wish: Wish) -> str:
    return f"{wish.delay.ns / 1e6:.15g}ms" if wish.delay else UNSET


def _metadata(standing: tuple[Standing, ...], table: dict[str, str]) -> dict[str, str]:
    told = {f"traffic-control-{key}": table[TABLE + key] for key in ("latency", "pktloss")}
    told["netweather-conditions"] = ", ".join(each.shown.condition.name for each in standing) or UNSET
    if standing:
        told["netweather-engine"] = ", ".join(sorted({each.shown.engine for each in standing}))
    ends = [each.ends_at for each in standing]
    if ends and None not in ends:
        told["netweather-lease"] = _stamp(max(end for end in ends if end is not None))
    return told


def _fared(fares: Fares | None) -> dict[str, str]:
    if fares is None:
        return {}
    rtt = fares.faring.rtt
    return {
        "netweather-rtt": UNSET if rtt is None else _trip(rtt),
        "netweather-retransmits": str(fares.faring.retransmits),
    }


def _rows(standing: tuple[Standing, ...], asked: Asked) -> dict[str, str]:
    return {
        f"{CONDITIONS}{each.shown.condition.name}___{column}": value
        for each in standing
        for column, value in _row(each, asked.now.timestamp()).items()
    }


def _row(standing: Standing, now: float) -> dict[str, str]:
    shown, ends = standing.shown, standing.ends_at
    return {
        "what": "; ".join(map(_words, shown.condition.rules)) or "nothing",
        "engine": shown.engine,
        "lease": "never" if ends is None else f"in {max(0, round(ends - now))} s",
        "packets": str(standing.packets),
        "dropped": str(standing.dropped),
        "rtt": _by_rule(shown, _trips),
        "again": _by_rule(shown, lambda lived: str(lived.retransmits)),
        "owner": shown.condition.owner or UNSET,
        "state": "in force" if shown.in_force else "; ".join(shown.problems) or "not in force",
    }


def _by_rule(shown: Shown, words: Callable[[Experienced], str]) -> str:
    """In the rules' order, as in the column `what`."""
    if not any(shown.lived or ()):
        return UNSET
    return "; ".join(UNSET if each is None else words(each) for each in shown.lived or ())


def _trips(lived: Experienced) -> str:
    """Before the condition, and now."""
    if lived.rtt is None:
        return UNSET
    return _trip(lived.rtt) if lived.rtt_before is None else f"{_trip(lived.rtt_before)} → {_trip(lived.rtt)}"


def _trip(microseconds: float) -> str:
    ms = microseconds / 1000
    return f"{ms:.0f} ms" if ms >= 100 else f"{ms:.3g} ms"


@lru_cache(maxsize=4096)
def _words(rule: Rule) -> str:
    """A rule by its flags, which are the words of the command line: 'delay 100ms, port 5432'."""
    flags = {flag: value for flag, value in rule_to_flags(rule).items() if (flag, value) != ("direction", "both")}
    told = [
        f"{flag} {' '.join(value) if isinstance(value, list) else value}" for flag, value in flags.items() if value is not True
    ]
    told += [flag for flag, value in flags.items() if value is True]
    return ", ".join(each if len(each) < 120 else f"{each[:120]}…" for each in told) or "nothing wrong"


def _metrics(standing: tuple[Standing, ...]) -> dict[str, Any]:
    seen = [each for each in standing if each.packets_per_s is not None]
    if not seen:
        return {}
    values = {
        "netweather-packets": sum(each.packets_per_s or 0 for each in seen),
        "netweather-dropped": sum(each.dropped_per_s or 0 for each in seen),
    }
    return _samples(values, seen[0].seen_at)


def _fare_metrics(fares: Fares | None) -> dict[str, Any]:
    if fares is None:
        return {}
    rtt = fares.faring.rtt
    values = {
        "netweather-rtt": None if rtt is None else rtt / 1000,
        "netweather-retransmits": fares.again_per_s,
        "netweather-received": fares.received_per_s,
        "netweather-sent": fares.sent_per_s,
    }
    return _samples({key: value for key, value in values.items() if value is not None}, fares.seen_at)


def _samples(values: Mapping[str, float], seen_at: float) -> dict[str, Any]:
    date = _stamp(seen_at)
    return {
        key: {"samples": [{"date": date, "value": round(value, 3)}], "min": 0, "max": round(value, 3)}
        for key, value in values.items()
    }


@lru_cache(maxsize=1024)
def _stamp(seconds: float) -> str:
    return Asked("", datetime.fromtimestamp(seconds, UTC)).stamp
