from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from netweather.errors import NetweatherError
from netweather.kernel import namespaces
from netweather.kernel.netlink import links
from netweather.kernel.netlink.links import Device
from netweather.targets import _addresses, _open_namespaces
from netweather.targets._addresses import NamespaceInterface, addresses_of, interfaces_in, look, ordered, plain
from netweather.targets.model import Address

V4, V6, LOCAL6 = ip_address("192.0.2.2"), ip_address("2001:db8::2"), ip_address("fe80::2")


def device(index: int, name: str, **more: Any) -> Device:
    plain = {"kind": "", "up": True, "master": None, "lower": None, "alias": "", "mtu": 1500, "txqueuelen": 0}
    return Device(**{"name": name, "ifindex": index, "hardware": 1, **plain, "rx_dropped": 0, "tx_dropped": 0, **more})


class Here:
    """A namespace that is this one: what is listed there is patched."""

    def __init__(self, fd: int) -> None: ...

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self, function: Callable[[], Any]) -> Any:
        return function()


def seen_over(
    monkeypatch: pytest.MonkeyPatch, devices: Callable[[], list[Device]], *held: tuple[int, Address]
) -> tuple[NamespaceInterface, ...]:
    monkeypatch.setattr(_addresses, "Namespace", Here)
    monkeypatch.setattr(links, "devices", devices)
    monkeypatch.setattr(links, "addresses", lambda: list(held))
    return interfaces_in(3)


def test_dumps_become_interfaces_with_their_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = [device(1, "lo", hardware=links.ARPHRD_LOOPBACK), device(3, "nw0", group=links.GROUP), device(7, "eth0")]
    assert seen_over(monkeypatch, lambda: devices, (7, V4), (1, ip_address("::1")), (7, V6)) == (
        NamespaceInterface("lo", 1, True, False, (ip_address("::1"),)),
        NamespaceInterface("nw0", 3, False, True, ()),
        NamespaceInterface("eth0", 7, False, False, (V4, V6)),
    )


@pytest.mark.parametrize(("number", "code"), [(errno.EAGAIN, "target-changed"), (errno.EPERM, None)])
def test_a_list_that_never_stands_still_is_told(number: int, code: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[Device]:
        raise OSError(number, "what the kernel says")

    with pytest.raises(NetweatherError if code else PermissionError) as caught:
        seen_over(monkeypatch, fail)
    assert getattr(caught.value, "code", None) == code


def test_addresses_are_ordered_once() -> None:
    assert ordered([LOCAL6, V6, V4, V6]) == (V4, V6, LOCAL6)
    assert ordered([]) == ()


def test_loopback_addresses_are_left_out_and_a_services_address_on_lo_is_not() -> None:
    service = ip_address("192.0.2.99")
    lo = NamespaceInterface("lo", 1, True, False, (ip_address("127.0.0.1"), ip_address("::1"), service))
    assert addresses_of([lo, NamespaceInterface("eth0", 2, False, False, (V4, LOCAL6))]) == (V4, service, LOCAL6)


def test_a_look_leaves_out_our_own_device_and_tells_what_went_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    target = _open_namespaces.held_target(os.open("/dev/null", os.O_RDONLY), "netns:x", "x", "netns", addresses=(V6,))
    with target:
        ours, theirs = NamespaceInterface("nw0", 3, False, True, ()), NamespaceInterface("nw1", 4, False, False, (V4,))
        monkeypatch.setattr(_addresses, "interfaces_in", lambda fd: (ours, theirs))
        assert look(target) == _addresses.NamespaceAddresses((V4, V6), ("nw1",))
        local = NamespaceInterface("eth0", 5, False, False, (LOCAL6, V4))
        monkeypatch.setattr(_addresses, "interfaces_in", lambda fd: (local,))
        assert look(target).addresses == (V4, V6)

        def deny(fd: int) -> tuple[NamespaceInterface, ...]:
            raise NetweatherError("cannot-enter-namespace", "what", "why not")

        monkeypatch.setattr(_addresses, "interfaces_in", deny)
        assert look(target) == _addresses.NamespaceAddresses((V6,), (), "why not")


def test_what_an_api_wrote_down() -> None:
    assert (plain("192.0.2.2"), plain(""), plain("invalid IP")) == (V4, None, None)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "empty"
    namespaces.make(path)
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)
    namespaces.remove(path)


@pytest.mark.root
def test_a_new_namespace_has_nothing_but_loopback(empty: int) -> None:
    before = os.stat("/proc/thread-self/ns/net").st_ino
    names = [each.name for each in interfaces_in(empty) if each.loopback]
    assert names == ["lo"]
    assert addresses_of(interfaces_in(empty)) == ()
    assert os.stat("/proc/thread-self/ns/net").st_ino == before
