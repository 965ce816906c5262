from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from netweather.errors import NetweatherError
from netweather.kernel import namespaces
from netweather.kernel.netlink import links


def test_a_port_is_quiet_ours_and_pinned(make_lab: Any) -> None:
    with make_lab() as net, namespaces.opened(net.client.path) as target, namespaces.opened(net.server.path) as helper:
        helper.run(lambda: links.make_port(target.fd))
        outer = target.run(lambda: links.raise_port(links.PORT, "netweather: t"))
        helper.run(lambda: links.raise_port(links.HELPER_PORT, "netweather: t"))
        helper.run(lambda: links.pin_receive(helper.mount_sysfs(), links.HELPER_PORT, 0))
        device = target.run(lambda: links.device(links.PORT))
        assert device is not None
        assert device.ours
        assert device.up
        assert device.ifindex == outer
        assert device.lower is None
        assert "inet6" not in net.client.run("ip", "addr", "show", "dev", "nw0").stdout
        assert links.PORT in target.run(links.names)
        target.run(lambda: links.delete(outer))
        target.run(lambda: links.delete(outer))
        assert target.run(lambda: links.device(links.PORT)) is None
        assert helper.run(lambda: links.device(links.HELPER_PORT)) is None


def test_a_tap_stays_when_nobody_holds_it(make_lab: Any) -> None:
    with make_lab() as net, namespaces.opened(net.client.path) as inside:
        os.close(inside.run(lambda: links.open_tap("nwl3")))
        index = inside.run(lambda: links.raise_tap("nwl3", "netweather: t"))
        again = inside.run(lambda: links.open_tap("nwl3"))
        device = inside.run(lambda: links.device("nwl3"))
        assert device is not None
        assert (device.ifindex, device.txqueuelen, device.ours) == (index, links.QUEUE, True)
        os.close(again)


def test_without_a_tun_device_the_error_has_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container without it."""
    monkeypatch.setattr(links, "_TUN", str(tmp_path / "none"))
    with pytest.raises(NetweatherError) as wrong:
        links.open_tap("nwl3")
    assert wrong.value.code == "no-tun"
    assert ("No such file or directory" in wrong.value.why, "--device" in wrong.value.remedy) == (True, True)


def test_what_only_looks_like_ours_is_not() -> None:
    device = links.Device("nw0", 3, 1, "veth", True, None, None, "somebody's", 1500, 0, 0, 0)
    assert not device.ours


def test_an_address_is_added_and_listed_with_its_interface() -> None:
    with namespaces.nameless() as inside:
        index = inside.run(lambda: links.bring_up("lo"))
        for address in ("192.0.2.1/28", "2001:db8::1/64"):
            inside.run(lambda address=address: links.add_address(index, address))
        found = inside.run(links.addresses)
        assert {(1, ip_address("192.0.2.1")), (1, ip_address("2001:db8::1")), (1, ip_address("127.0.0.1"))} <= set(found)
        assert inside.run(links.names_by_address)["2001:db8::1"] == "lo"
        assert "/28" in inside.run(lambda: Path("/proc/thread-self/net/fib_trie").read_text())
        with pytest.raises(FileExistsError):
            inside.run(lambda: links.add_address(index, "192.0.2.1/28"))
