from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.kernel import namespaces
from netweather.targets import _addresses, _namespaces, _sockets
from netweather.targets._addresses import Interface, addresses_of, interfaces_in, look, ordered, plain

V4, V6, LOCAL6 = ip_address("192.0.2.2"), ip_address("2001:db8::2"), ip_address("fe80::2")
DONE, ERROR, LINK, ADDRESS, INTERRUPTED = 3, 2, 16, 20, 0x10


def message(kind: int, body: bytes, *, number: int, flags: int = 2) -> bytes:
    whole = struct.pack("=IHHII", 16 + len(body), kind, flags, number, 0) + body
    return whole + bytes(-len(whole) % 4)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def link(index: int, name: str, flags: int = 1, alias: str = "") -> bytes:
    body = struct.pack("=BxHiII", 0, 1, index, flags, 0) + attribute(3, name.encode() + b"\0")
    return body + (attribute(20, alias.encode() + b"\0") if alias else b"")


def address(index: int, *attributes: bytes) -> bytes:
    return struct.pack("=BBBBI", 2, 24, 0, 0, index) + b"".join(attributes)


class Netlink:
    """A socket that answers each request with the next of its replies; a reply is made for the request's number."""

    def __init__(self, *replies: list[tuple[int, bytes, int]]) -> None:
        self.replies = iter(replies)
        self.waiting: list[bytes] = []

    def send(self, data: bytes) -> None:
        number = struct.unpack_from("=IHHI", data)[3]
        stray = message(LINK, link(9, "stray"), number=number + 77)
        reply = [message(kind, body, number=number, flags=flags) for kind, body, flags in next(self.replies)]
        self.waiting = [stray + b"".join(reply[:1]), *reply[1:]]

    def recv(self, size: int) -> bytes:
        return self.waiting.pop(0)

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def whole(*parts: tuple[int, bytes]) -> list[tuple[int, bytes, int]]:
    return [*((kind, body, 2) for kind, body in parts), (DONE, bytes(4), 2)]


def seen_over(monkeypatch: pytest.MonkeyPatch, *replies: list[tuple[int, bytes, int]]) -> tuple[Interface, ...]:
    monkeypatch.setattr(_sockets, "rtnetlink", lambda fd: Netlink(*replies))
    return interfaces_in(3)


def test_dumps_become_interfaces_by_index(monkeypatch: pytest.MonkeyPatch) -> None:
    links = whole((LINK, link(7, "eth0", alias="uplink")), (LINK, link(1, "lo", flags=0x9)))
    # Of a point-to-point address the kernel gives the peer's as ADDRESS and ours as LOCAL.
    mine = address(7, attribute(1, ip_address("192.0.2.1").packed), attribute(2, V4.packed))
    addresses = whole(
        (ADDRESS, mine), (ADDRESS, address(7, attribute(1, V6.packed))), (ADDRESS, address(1, attribute(1, b"odd")))
    )
    lo, eth0 = seen_over(monkeypatch, links, addresses)
    assert lo == Interface("lo", 1, True, "", ())
    assert eth0 == Interface("eth0", 7, False, "uplink", (V4, V6))


def test_a_dump_that_was_interrupted_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    torn = [(LINK, link(1, "half"), INTERRUPTED), (DONE, bytes(4), 2)]
    (only,) = seen_over(monkeypatch, torn, whole((LINK, link(1, "eth0"))), whole())
    assert only.name == "eth0"
    with pytest.raises(NetweatherError) as caught:
        seen_over(monkeypatch, *[torn] * 5)
    assert caught.value.code == "target-changed"


def test_the_kernels_error_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermissionError):
        seen_over(monkeypatch, [(ERROR, struct.pack("=i", -1), 0)])


def test_torn_attributes_are_ignored() -> None:
    assert dict(_addresses._attributes(attribute(1, b"ab") + b"\1\0\0\0")) == {1: b"ab"}


def test_addresses_are_ordered_once() -> None:
    assert ordered([LOCAL6, V6, V4, V6]) == (V4, V6, LOCAL6)
    assert ordered([]) == ()


def test_loopback_addresses_are_left_out_and_a_services_address_on_lo_is_not() -> None:
    service = ip_address("192.0.2.99")
    lo = Interface("lo", 1, True, "", (ip_address("127.0.0.1"), ip_address("::1"), service))
    assert addresses_of([lo, Interface("eth0", 2, False, "", (V4, LOCAL6))]) == (V4, service, LOCAL6)


def test_a_look_leaves_out_our_own_device_and_tells_what_went_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    target = _namespaces.held_target(os.open("/dev/null", os.O_RDONLY), "netns:x", "x", "netns", addresses=(V6,))
    with target:
        ours, theirs = Interface("nw0", 3, False, "netweather:x", ()), Interface("nw1", 4, False, "", (V4,))
        monkeypatch.setattr(_addresses, "interfaces_in", lambda fd: (ours, theirs))
        assert look(target) == _addresses.Seen((V4, V6), ("nw1",))
        local = Interface("eth0", 5, False, "", (LOCAL6, V4))
        monkeypatch.setattr(_addresses, "interfaces_in", lambda fd: (local,))
        assert look(target).addresses == (V4, V6)

        def deny(fd: int) -> tuple[Interface, ...]:
            raise NetweatherError("cannot-enter-namespace", "what", "why not")

        monkeypatch.setattr(_addresses, "interfaces_in", deny)
        assert look(target) == _addresses.Seen((V6,), (), "why not")


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
