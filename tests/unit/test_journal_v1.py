"""Journals of before version 2, as they stand on disks: they are read as what is in force in the kernel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netweather.engine import entries
from netweather.errors import NetweatherError
from netweather.journal import Entry, Journal
from netweather.kernel.datapath.spec import LineId, RuleId

DOCUMENT: dict[str, Any] = {
    "version": 1,
    "target": {
        "reference": "netns:shop", "name": "shop", "dev": 4, "ino": 9, "pid": None, "path": None, "runtime": "netns", "cookie": 0,
    },
    "state": "made",
    "hook": "tcx",
    "slots": {
        "lines": {"slow/0/egress/eth0": 5, "slow/1/ingress/eth0": 6, "slow/2/egress/eth0/netem": 7, "slow/2/ingress/eth0/netem": 8},
        "counters": {"slow/exclude/0": 0, "slow/0": 1, "slow/1": 2, "slow/2": 3},
        "leases": {"slow": 0},
        "interfaces": {"eth0": 0},
    },
    "interfaces": [{"name": "eth0", "ifindex": 2, "slot": 0, "upper": False, "layer3": False}],
    "carried": {"slow/2": {"loss": 9}},
    "conditions": [
        {
            "document": {
                "metadata": {"name": "slow"},
                "spec": {
                    "exclude": [{"ports": ["22"]}],
                    "rules": [
                        {"ports": ["80"], "condition": {"profile": "3g"}},
                        {"ports": ["81"], "condition": {"delay": {"time": "5ms"}}},
                    ],
                },
            },
            "deadline": None,
            "created": 12,
            "peers": {},
        }
    ],
}  # fmt: skip


def read(tmp_path: Path, document: dict[str, Any]) -> Entry:
    journal = Journal(tmp_path)
    journal.directory("4-9").mkdir(parents=True)
    (journal.directory("4-9") / "journal.json").write_text(json.dumps(document))
    entry = journal.read("4-9")
    assert entry is not None
    return entry


def test_lines_and_counters_keep_their_numbers(tmp_path: Path) -> None:
    entry = read(tmp_path, DOCUMENT)
    third = RuleId("slow", 2)
    assert entry.slots.lines[LineId(third, "ingress", "eth0", "netem")] == 8
    assert entry.slots.counters[RuleId("slow", 0, excluded=True)] == 0
    assert entry.carried == {third: {"loss": 9}}
    path, slots = entries.datapath(entry)
    assert slots == entry.slots
    assert [rule.counter for rule in path.rules] == [0, 1, 2, 3]
    assert [(line.index, line.engine) for line in path.lines] == [(5, "pump"), (6, "pump"), (7, "netem"), (8, "netem")]


def test_it_is_written_as_the_version_of_now(tmp_path: Path) -> None:
    entry = read(tmp_path, DOCUMENT)
    Journal(tmp_path).write(entry)
    assert Journal(tmp_path).read("4-9") == entry


@pytest.mark.parametrize("part", ["lines", "counters"])
def test_what_is_no_name_of_a_line_or_rule_is_told(tmp_path: Path, part: str) -> None:
    with pytest.raises(NetweatherError, match="broken-journal"):
        read(tmp_path, {**DOCUMENT, "slots": {**DOCUMENT["slots"], part: {"slow": 0}}})
