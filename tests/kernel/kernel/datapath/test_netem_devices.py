"""The kernel's netem against our codec and against tc; where there is no netem it is skipped, and a guest has it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from netweather.kernel import namespaces
from netweather.kernel.datapath import netem_devices
from netweather.kernel.features.features import there
from netweather.kernel.netlink import links
from netweather.kernel.netlink.netem_attributes import CERTAIN, FourStates, GilbertElliott, Netem, NetemSlots, differences

MS = 10**6
HALF = CERTAIN // 2 + 1
CASES: dict[str, tuple[str, Netem]] = {
    "delay": ("delay 100ms", Netem(latency_ns=100 * MS)),
    "jitter": (
        "delay 100ms 20ms 50%",
        Netem(latency_ns=100 * MS, jitter_ns=20 * MS, delay_corr=HALF),
    ),
    "long": ("delay 250s", Netem(latency_ns=250_000 * MS)),
    "limit": ("limit 12345", Netem(limit=12345)),
    "loss": ("loss 50%", Netem(loss=HALF)),
    # tc forgets a correlation of duplicates unless there is another one.
    "correlated": (
        "loss 50% 50% duplicate 50% 50%",
        Netem(loss=HALF, loss_corr=HALF, duplicate=HALF, duplicate_corr=HALF),
    ),
    "state": ("loss state 50% 50% 50% 50% 50%", Netem(model=FourStates(HALF, HALF, HALF, HALF, HALF))),
    "gemodel": ("loss gemodel 50% 50% 100% 50%", Netem(model=GilbertElliott(HALF, HALF, 0, HALF))),
    "duplicate": ("duplicate 50%", Netem(duplicate=HALF)),
    "corrupt": ("corrupt 50% 50%", Netem(corrupt=HALF, corrupt_corr=HALF)),
    "reorder": ("delay 10ms reorder 50% 50% gap 5", Netem(latency_ns=10 * MS, reorder=HALF, reorder_corr=HALF, gap=5)),
    "rate": ("rate 10mbit 14", Netem(rate=1_250_000, packet_overhead=14)),
    "cells": ("rate 10mbit 4 53 5", Netem(rate=1_250_000, packet_overhead=4, cell_size=53, cell_overhead=5)),
    "fast": ("rate 80gbit", Netem(rate=10**10)),
    "ecn": ("loss 50% ecn", Netem(loss=HALF, ecn=True)),
    "slot": ("slot 1ms 2ms packets 32 bytes 65536", Netem(slots=NetemSlots(MS, 2 * MS, 32, 65536))),
}


@pytest.fixture(autouse=True)
def _with_netem() -> None:
    if not there("netem"):
        pytest.skip("this kernel has no sch_netem (NET_SCH_NETEM)")


def shown(run: Any, device: str) -> Any:
    """What tc says of a device's netem."""
    (found,) = json.loads(run("tc", "-j", "qdisc", "show", "dev", device, "root").stdout)
    assert found["kind"] == "netem"
    return found["options"]


def test_every_attribute_is_held_and_is_what_tc_makes_of_the_same_words(make_lab: Any) -> None:
    """One pair of devices for all: ours is changed from case to case in place, tc's made anew."""
    with make_lab() as net, namespaces.opened(net.client.path) as inside:
        ours, theirs = inside.run(lambda: netem_devices.make_pair("nwl0", "nwx0", "netweather: t"))
        wrong = []
        for number, (name, (words, netem)) in enumerate(CASES.items()):
            inside.run(lambda netem=netem, number=number: netem_devices.put(ours, netem.pack(), new=number == 0))
            seen = inside.run(netem_devices.read)
            wrong += [(name, "ours", one) for one in differences(netem, seen[ours].netem)]
            net.client.run("tc", "qdisc", "add", "dev", "nwx0", "root", "netem", *words.split())
            one, other = shown(net.client.run, "nwl0"), shown(net.client.run, "nwx0")
            wrong += [] if one == other else [(name, "tc shows", f"{one}, and by hand {other}")]
            by_hand = replace(inside.run(netem_devices.read)[theirs].netem, seed=None)  # Linux 6.6 and later makes one up
            wrong += [(name, "by hand", each) for each in differences(by_hand, netem)]
            net.client.run("tc", "qdisc", "del", "dev", "nwx0", "root")
        assert wrong == []


def test_what_is_wrong_is_told(make_lab: Any) -> None:
    with make_lab() as net, namespaces.opened(net.client.path) as inside:
        ours, _ = inside.run(lambda: netem_devices.make_pair("nwl0", "nwx0", "netweather: t"))
        with pytest.raises(FileNotFoundError):
            inside.run(lambda: netem_devices.put(ours, Netem().pack(), new=False))
        inside.run(lambda: netem_devices.put(ours, Netem(latency_ns=5 * MS).pack(), new=True))
        with pytest.raises(FileExistsError, match="override"):
            inside.run(lambda: netem_devices.put(ours, Netem().pack(), new=True))
        net.client.run("tc", "qdisc", "change", "dev", "nwl0", "root", "netem", "delay", "6ms")
        (wrong, _) = differences(Netem(latency_ns=5 * MS, limit=7), inside.run(netem_devices.read)[ours].netem)
        assert wrong == "limit: requested 7, found 1000"


def test_a_line_is_found_with_its_exit(make_lab: Any) -> None:
    with make_lab() as net, namespaces.opened(net.client.path) as inside:
        ours, end = inside.run(lambda: netem_devices.make_pair("nwl0", "nwx0", "netweather: t"))
        devices = inside.run(links.devices)
        assert inside.run(lambda: netem_devices.exits(devices, {0: ours})) == {}
        inside.run(lambda: netem_devices.put(ours, Netem().pack(), new=True))
        assert inside.run(lambda: netem_devices.exits(devices, {0: ours, 1: 99})) == {0: end}
        hop, _ = inside.run(lambda: netem_devices.make_hop("netweather: t"))
        devices = inside.run(links.devices)
        assert inside.run(lambda: netem_devices.exits(devices, {0: hop})) == {0: end}


def test_the_hop_takes_packets_apart_whatever_they_are(make_lab: Any) -> None:
    with make_lab() as net, namespaces.opened(net.client.path) as inside:
        inside.run(lambda: netem_devices.make_hop("netweather: t"))
        text = net.client.run("ethtool", "-k", "nws").stdout
        lines = dict(line.strip().split(": ", 1) for line in text.splitlines()[1:])
        names = ["generic-segmentation-offload", *(n for n in netem_devices.OFFLOADS[1:] if n in lines)]
        assert {name: lines[name].split()[0] for name in names} == dict.fromkeys(names, "off")
        assert "on" in net.client.run("ethtool", "-k", "nwt").stdout
