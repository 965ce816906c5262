"""What netem holds for every case, beside what it holds when the same is typed by hand: as `tc -s -j qdisc show` tells both."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netweather.conditions import Condition, NetworkCondition
from netweather.conditions.profiles import expand
from netweather.kernel import namespaces
from netweather.kernel.datapath import netem_devices
from netweather.kernel.features.features import there
from netweather.kernel.netlink.netem_attributes import differences
from netweather.lines.netem_line import netem_for, unsupported
from tests.fidelity.by_hand import words
from tests.fidelity.cases import all_cases, write_files

PAIRS = 16
"""Devices at a time: an emulated guest takes a second to make a pair."""
pytestmark = pytest.mark.root


def conditions(folder: Path) -> dict[Condition, str]:
    """What netem can do, of every case, profiles and changes too; each once, with the name of a case that has it."""
    found: dict[Condition, str] = {}
    for case in all_cases():
        for changes in ({}, *case.again):
            rule = case.rule(folder, changes, seeded=False)
            for each in expand(NetworkCondition(rules=(rule,))).rules:
                if not unsupported(each.condition, seeds=True):
                    found.setdefault(replace(each.condition, seed=None), case.name)  # tc doesn't tell a seed
    return found


def test_netem_holds_what_tc_makes_of_the_same_words(make_lab: Any, tmp_path: Path) -> None:
    if not there("netem"):
        pytest.skip("this kernel has no sch_netem (NET_SCH_NETEM)")
    write_files(tmp_path)
    for table in netemtables().glob("*.dist"):
        (tmp_path / table.name).write_bytes(table.read_bytes())
    asked = conditions(tmp_path)
    with make_lab() as net, namespaces.opened(net.client.path) as inside:
        net.client.run("ip", "-batch", "-", stdin=_lines("link add ours{0} type veth peer name theirs{0}", range(PAIRS)))
        indexes = inside.run(lambda: [socket.if_nametoindex(f"ours{number}") for number in range(PAIRS)])
        for begin in range(0, len(asked), PAIRS):
            some = dict(list(asked.items())[begin : begin + PAIRS])
            made = [netem_for(condition) for condition in some]
            new = begin == 0  # later ones change what is there: nothing of the one before may stay
            for index, netem in zip(indexes, made, strict=False):
                inside.run(lambda index=index, netem=netem, new=new: netem_devices.put(index, netem.pack(), new=new))
            typed = [" ".join(words(one, netem.limit, tmp_path)) for one, netem in zip(some, made, strict=True)]
            batch = "" if new else _lines("qdisc del dev theirs{0} root", typed)
            batch += _lines("qdisc add dev theirs{0} root handle 1: netem {1}", typed) + "qdisc show\n"
            text = net.client.run("env", f"TC_LIB_DIR={tmp_path}", "tc", "-s", "-j", "-batch", "-", stdin=batch).stdout
            told = {each.pop("dev"): each for each in json.loads(text)}
            held = inside.run(netem_devices.read)
            for number, ((condition, name), netem) in enumerate(zip(some.items(), made, strict=True)):
                assert differences(netem, held[indexes[number]].netem) == [], name
                ours, theirs = told[f"ours{number}"], told[f"theirs{number}"]
                if condition.duplicate and condition.duplicate.correlation.ppb:  # tc forgets it unless there is another one
                    theirs["options"]["duplicate"]["correlation"] = ours["options"]["duplicate"]["correlation"]
                assert ours == theirs, name


def _lines(pattern: str, of: Iterable[object]) -> str:
    return "".join(pattern.format(number, each) + "\n" for number, each in enumerate(of))


def netemtables() -> Path:
    """Where iproute2 keeps its distributions."""
    found = [path.parent for folder in ("/usr/lib", "/usr/share") for path in Path(folder).glob("**/tc/normal.dist")]
    return found[0]
