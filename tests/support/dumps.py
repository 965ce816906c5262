"""Everything of a namespace that clearing must give back, as the usual tools print it."""

from __future__ import annotations

import difflib
import json
import time
from typing import Any

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
    """All of it, as text. Raises AssertionError when a tool fails."""
    found = {name: namespace.run(*command.split()).stdout for name, command in COMMANDS.items()}
    for link in json.loads(found["links"]):
        device = link["ifname"]
        for name, command in OF_DEVICE.items():
            # What a tool refuses (classes of a device without any) is refused the same way afterwards.
            result = namespace.run(*command.format(device=device).split(), check=False)
            found[f"{name} of {device}"] = f"{result.returncode}\n{result.stdout}{result.stderr}"
    return found


def settled(namespace: Namespace) -> dict[str, str]:
    """The dump, once two in a row are the same: a new link's state takes a moment."""
    before: dict[str, str] = {}
    deadline = time.monotonic() + 5
    while (now := dump(namespace)) != before:
        assert time.monotonic() < deadline, f"{namespace.name} does not settle:\n{difference(before, now)}"
        before = now
        time.sleep(0.05)
    return now


def entries(text: str) -> list[dict[str, Any]]:
    """What a tool listed as JSON."""
    found: list[dict[str, Any]] = json.loads(text)
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
    assert now == before, difference(before, now)
