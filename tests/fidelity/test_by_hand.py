"""What netem holds for every case, beside what it holds when the same is typed by hand: as `tc -s -j qdisc show` tells both."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netweather.conditions import Condition, NetworkCondition
from netweather.conditions.profiles import expand
from netweather.kernel import namespaces, netemlines
from netweather.kernel.features import there
from netweather.kernel.netem import differences
from netweather.lines.netem import netem_for, unsupported
from tests.fidelity.by_hand import words
from tests.fidelity.cases import all_cases, write_files

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
    made = [netem_for(condition) for condition in asked]
    by_hand = [words(condition, one.limit, tmp_path) for condition, one in zip(asked, made, strict=True)]
    with make_lab() as net, namespaces.opened(net.client.path) as inside:
        net.client.run("ip", "-batch", "-", stdin=_lines(made, "link add ours{0} type veth peer name theirs{0}"))
        inside.run(
            lambda: [netemlines.put(socket.if_nametoindex(f"ours{n}"), one.pack(), new=True) for n, one in enumerate(made)]
        )
        typed = _lines(by_hand, "qdisc add dev theirs{0} root handle 1: netem {1}")
        net.client.run("env", f"TC_LIB_DIR={tmp_path}", "tc", "-batch", "-", stdin=typed)
        told = {each.pop("dev"): each for each in json.loads(net.client.run("tc", "-s", "-j", "qdisc", "show").stdout)}
        names, found = dict(inside.run(socket.if_nameindex)), inside.run(netemlines.read)
        held = {names[index]: each.netem for index, each in found.items()}
    for number, (name, netem) in enumerate(zip(asked.values(), made, strict=True)):
        ours, theirs = f"ours{number}", f"theirs{number}"
        assert differences(netem, held[ours]) == [], name
        assert told[ours] == told[theirs], name


def _lines(of: Sequence[Any], pattern: str) -> str:
    return "".join(
        pattern.format(number, " ".join(each) if isinstance(each, list) else "") + "\n" for number, each in enumerate(of)
    )


def netemtables() -> Path:
    """Where iproute2 keeps its distributions."""
    found = [path.parent for folder in ("/usr/lib", "/usr/share") for path in Path(folder).glob("**/tc/normal.dist")]
    return found[0]
