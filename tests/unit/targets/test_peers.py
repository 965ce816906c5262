from __future__ import annotations

import os
import socket
from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.errors import NetweatherError, UsageError
from netweather.targets import _addresses, _sockets
from netweather.targets._addresses import NamespaceInterface
from netweather.targets.model import Address, Peer
from netweather.targets.peers import resolve_peers
from tests.unit.targets.fake_docker import Engine

Refused = Callable[[Callable[[], object]], NetweatherError]


def prefixes(text: str) -> list[str]:
    return [str(peer.prefix) for peer in resolve_peers(text)]


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What every namespace has: a loopback, and an interface with more than Docker knows of."""
    texts = ("203.0.113.9", "2001:db8::9", "fe80::9")
    eth0 = NamespaceInterface("eth0", 2, False, False, tuple(ip_address(text) for text in texts))
    lo = NamespaceInterface("lo", 1, True, False, (ip_address("127.0.0.1"),))
    monkeypatch.setattr(_addresses, "interfaces_in", lambda fd: (lo, eth0))


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("198.51.100.7", "198.51.100.7/32"),
        (" 198.51.100.7 ", "198.51.100.7/32"),
        ("198.51.100.0/24", "198.51.100.0/24"),
        ("198.51.100.0/255.255.255.0", "198.51.100.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("2001:DB8::1", "2001:db8::1/128"),
        ("::/0", "::/0"),
        ("fe80::1", "fe80::1/128"),
        ("::ffff:192.0.2.1", "192.0.2.1/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
    ],
)
def test_addresses_and_prefixes_are_themselves(text: str, prefix: str) -> None:
    assert resolve_peers(text) == (Peer(ip_network(prefix), text),)


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("198.51.100.7/24", "bad-peer", "write 198.51.100.0/24 or 198.51.100.7"),
        ("2001:db8::1/32", "bad-peer", "write 2001:db8::/32 or 2001:db8::1"),
        ("198.51.100.0/33", "bad-peer", "a peer is an address"),
        ("198.51.100.300", "bad-peer", "a peer is an address"),
        ("fe80::zz", "bad-peer", "no IPv6 address"),
        ("fe80::1%eth0", "bad-peer", "leave out the %"),
        ("[2001:db8::1]:443", "bad-peer", "write 2001:db8::1"),
        ("10", "bad-peer", "a peer is an address"),
        ("5432", "bad-peer", "a peer is an address"),
        ("0x7f.1", "bad-peer", "a peer is an address"),
        ("", "bad-peer", "a peer is an address"),
        ("a b", "bad-peer", "a peer is an address"),
        ("shop/web", "bad-peer", "a peer is an address"),
        ("127.0.0.1", "bad-peer", "loopback traffic is never affected"),
        ("::1", "bad-peer", "loopback traffic is never affected"),
        ("::ffff:127.0.0.1", "bad-peer", "loopback traffic is never affected"),
        ("dokcer:db", "unknown-scheme", "docker:db"),
        ("containerd:db", "bad-target", "containerd:NAMESPACE/ID"),
        ("docker:", "bad-target", "docker:NAME"),
    ],
)
def test_what_is_no_peer_says_what_to_write(text: str, code: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_peers(text)
    assert caught.value.code == code
    assert says in str(caught.value)


@given(st.ip_addresses().filter(lambda address: not address.is_loopback and getattr(address, "ipv4_mapped", None) is None))
def test_every_address_is_a_peer(address: Address) -> None:
    assert prefixes(str(address)) == [str(ip_network(address))]


@pytest.mark.usefixtures("inside")
def test_a_container_is_all_that_docker_knows_and_all_that_it_has(engine: Engine) -> None:
    engine.add("shop-db", addresses=("198.51.100.2", "2001:db8:1::2"))
    expected = ["198.51.100.2/32", "203.0.113.9/32", "2001:db8::9/128", "2001:db8:1::2/128", "fe80::9/128"]
    assert prefixes("docker:shop-db") == expected
    assert {peer.origin for peer in resolve_peers("docker:shop-db")} == {"docker:shop-db"}


@pytest.mark.usefixtures("inside")
def test_all_containers_of_a_label_are_peers_even_when_paused(engine: Engine) -> None:
    engine.add("a", labels={"t": "x:50%"}, addresses=("198.51.100.2", ""))
    engine.add("b", "paused", labels={"t": "x:50%"}, addresses=("198.51.100.3", ""))
    assert prefixes("docker:label=t=x:50%") == [
        "198.51.100.2/32", "198.51.100.3/32", "203.0.113.9/32", "2001:db8::9/128", "fe80::9/128",
    ]  # fmt: skip


@pytest.mark.usefixtures("inside")
def test_namespaces_processes_and_the_host_are_peers() -> None:
    expected = ["203.0.113.9/32", "2001:db8::9/128", "fe80::9/128"]
    assert prefixes(f"pid:{os.getpid()}") == prefixes("netns:/proc/self/ns/net") == expected


def test_a_namespace_without_addresses_is_no_peer(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    monkeypatch.setattr(_addresses, "interfaces_in", lambda fd: ())
    assert refused(lambda: resolve_peers(f"pid:{os.getpid()}")).code == "peer-without-address"


def test_a_failed_look_leaves_nothing_open(engine: Engine, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    def deny(fd: int) -> tuple[NamespaceInterface, ...]:
        raise NetweatherError("cannot-enter-namespace", "what")

    engine.add("a", labels={"t": "x"})
    engine.add("b", labels={"t": "x"})
    monkeypatch.setattr(_addresses, "interfaces_in", deny)
    assert refused(lambda: resolve_peers("docker:label=t=x")).code == "cannot-enter-namespace"


def test_a_host_name_is_all_its_addresses_but_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["2001:db8::2", "192.0.2.2", "127.0.1.1", "192.0.2.1", "::1"]
    monkeypatch.setattr(_sockets, "look_up", lambda name: [ip_address(text) for text in texts])
    assert prefixes("db.example.org") == ["192.0.2.1/32", "192.0.2.2/32", "2001:db8::2/128"]
    assert resolve_peers("db.example.org")[0].origin == "db.example.org"


def test_a_host_name_of_loopback_only_is_refused(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    monkeypatch.setattr(_sockets, "look_up", lambda name: [ip_address("127.0.0.1")])
    assert refused(lambda: resolve_peers("localhost")).code == "peer-without-address"


def test_an_unknown_host_name_offers_the_container(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    def fail(name: str) -> list[Address]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(_sockets, "look_up", fail)
    error = refused(lambda: resolve_peers("shop-db"))
    assert (error.code, error.exit_code) == ("unresolvable-peer", 1)
    assert "Name or service not known" in error.why
    assert "docker:shop-db" in error.remedy
    assert refused(lambda: resolve_peers("-x")).remedy == "give its address"


def test_an_impossible_host_name_is_a_usage_error(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    assert refused(lambda: resolve_peers("x" * 100 + ".example.org")).code == "bad-peer"
