"""host/wiring.py: what a lab's namespaces hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from netweather.host import wiring
from netweather.kernel import namespaces
from netweather.kernel.namespaces import Namespace
from netweather.kernel.netlink import links
from tests.support import netns, owner


@pytest.fixture
def three() -> Iterator[list[Namespace]]:
    """Namespaces of nobody else's, with names that a later session would sweep."""
    paths = [netns.FOLDER / f"{netns.PREFIX}{owner.tag()}-wiring-{role}" for role in "abc"]
    try:
        with ExitStack() as stack:
            for path in paths:
                namespaces.make(path)
            yield [stack.enter_context(namespaces.opened(path)) for path in paths]
    finally:
        for path in paths:
            namespaces.remove(path)


def kinds(namespace: Namespace) -> dict[str, tuple[str, bool]]:
    return {one.name: (one.kind, one.up) for one in namespace.run(links.devices) if one.kind in ("veth", "bridge")}


def test_a_pair_with_addresses_and_no_noise(three: list[Namespace]) -> None:
    near, far, _ = three
    for namespace in (near, far):
        wiring.settle(namespace)
    wiring.join(near, "eth0", far, "eth7")
    wiring.raise_device(near, "eth0", ["192.0.2.1/28", "2001:db8:1::1/64"])
    wiring.raise_device(far, "eth7", ["192.0.2.2/28"])
    assert kinds(near) == {"eth0": ("veth", True)}
    assert kinds(far) == {"eth7": ("veth", True)}
    assert near.run(links.names_by_address).get("192.0.2.1") == "eth0"
    assert "/28 " in near.run(lambda: Path("/proc/thread-self/net/fib_trie").read_text())
    accept = near.run(lambda: Path("/proc/thread-self/net/if_inet6").read_text())
    assert "20010db8000100000000000000000001" in accept


def test_a_switch_joins_its_ports(three: list[Namespace]) -> None:
    near, far, middle = three
    for place, namespace in enumerate((near, far)):
        wiring.join(namespace, "eth0", middle, f"port-{place}")
    wiring.switch(middle, ["port-0", "port-1"])
    assert kinds(middle) == {"br0": ("bridge", True), "port-0": ("veth", True), "port-1": ("veth", True)}
    found = {one.name: one for one in middle.run(links.devices)}
    assert found["port-0"].master == found["port-1"].master == found["br0"].ifindex


def test_devices_go_by_name(three: list[Namespace]) -> None:
    near, far, middle = three
    wiring.join(near, "eth0", middle, "port-0")
    wiring.switch(middle, ["port-0"])
    wiring.delete_devices(middle)
    assert kinds(middle) == kinds(near) == {}
    assert kinds(far) == {}


def test_what_can_not_be_made_is_an_os_error(three: list[Namespace]) -> None:
    wiring.join(three[0], "eth0", three[1], "eth0")
    with pytest.raises(OSError, match="File exists"):
        wiring.join(three[0], "eth0", three[2], "eth0")
