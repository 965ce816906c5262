"""Everything of a namespace that clearing must give back, as the usual tools print it."""

from __future__ import annotations

import difflib
import json
import re
import socket
import time
from typing import Any

from netweather.kernel.bpf import hooks, libbpf
from tests.support.netns import Namespace

COMMANDS = {
    "links": "ip -d -j link",
    "addresses": "ip -j addr",
    "routes": "ip -j route show table all",
    "routes6": "ip -j -6 route show table all",
    "rules": "ip -j rule",
    "namespaces": "ip -j netns list-id",
    "qdiscs": "tc -j qdisc",
    "bpf": "bpftool -j net",
}
OF_DEVICE = {
    "offloads": "ethtool -k {device}",
    "filters at ingress": "tc -j filter show dev {device} ingress",
    "filters at egress": "tc -j filter show dev {device} egress",
    "filters at the root": "tc -j filter show dev {device}",
    "classes": "tc -j class show dev {device}",
    "txqueuelen": "cat /sys/class/net/{device}/tx_queue_len",
    "receive steering": "cat /sys/class/net/{device}/queues/rx-0/rps_cpus",
}


def dump(namespace: Namespace) -> dict[str, str]:
    """All of it, as text. What a tool refuses (classes of a device without any) is part of it: it must be refused afterwards too."""
    script = [_step(name, command) for name, command in COMMANDS.items()]
    script.append("for device in $(ls /sys/class/net); do")
    script += [_step(f"{name} of $device", command.format(device="$device")) for name, command in OF_DEVICE.items()]
    text = namespace.run("sh", "-c", "\n".join([*script, "done"])).stdout
    text = TIMERS.sub("", text)
    found = dict(part.split("\n", 1) for part in text.split(MARK)[1:])
    for name in COMMANDS:
        assert found[name].endswith("\nexit 0\n"), f"{COMMANDS[name]}: {found[name]}"
    return found | namespace.call(_tcx)


def _tcx() -> dict[str, str]:
    """What bpftool net doesn't list before its version 7.3."""
    if hooks.best_hook().name != "tcx":  # Linux 6.6
        return {}
    places = (("ingress", libbpf.TCX_INGRESS), ("egress", libbpf.TCX_EGRESS))
    return {
        f"tcx {direction} of {name}": str(libbpf.tcx_query(index, hook))
        for index, name in socket.if_nameindex()
        for direction, hook in places
    }


TRIES = 50
"""More than a bond takes; no deadline, since a dump takes seconds in an emulated guest."""
MARK = "=== dump of "
TIMERS = re.compile(r'"\w+_timer":[0-9.]+,?')  # of a bridge: they run


def _step(name: str, command: str) -> str:
    return f'echo "{MARK}{name}"; {command} 2>&1; echo "exit $?"'


def settled(namespace: Namespace) -> dict[str, str]:
    """The dump, once two in a row are the same: a new link's state takes a moment."""
    before, now = {}, dump(namespace)
    for _ in range(TRIES):
        before, now = now, dump(namespace)
        if now == before:
            return now
        time.sleep(0.05)
    raise AssertionError(f"{namespace.name} does not settle:\n{difference(before, now)}")


def entries(text: str) -> list[dict[str, Any]]:
    """What a tool listed as JSON."""
    found: list[dict[str, Any]] = json.loads(text.partition("\nexit ")[0])
    return found


def difference(before: dict[str, str], after: dict[str, str]) -> str:
    """What two dumps differ in, for people; empty: nothing."""
    lines: list[str] = []
    for name in sorted(set(before) | set(after)):
        was, now = (before.get(name, ""), after.get(name, ""))
        if was != now:
            lines += [f"{name}:", *difflib.unified_diff(was.splitlines(), now.splitlines(), "before", "after", lineterm="", n=0)]
    return "\n".join(lines)


def assert_same(before: dict[str, str], namespace: Namespace) -> None:
    """The namespace is as it was, byte for byte."""
    now = dump(namespace)
    deadline = time.monotonic() + 5
    # The kernel takes a namespace apart in the background, and lists its number until then.
    while now["namespaces"] != before["namespaces"] and time.monotonic() < deadline:
        time.sleep(0.02)
        now["namespaces"] = dump(namespace)["namespaces"]
    assert now == before, difference(before, now)
