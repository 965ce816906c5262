"""kernel/relay.py: bytes go from one namespace to another without a network between them."""

from __future__ import annotations

import socket
import threading

import pytest

from netweather.kernel import namespaces
from netweather.kernel.relay import Relay
from tests.support.netns import Lab


def echo(listener: socket.socket) -> None:
    """Answers everything that came, in capitals, once it has ended."""
    connection, _ = listener.accept()
    with connection:
        said = b"".join(iter(lambda: connection.recv(65536), b""))
        connection.sendall(said.upper())


def ask(address: tuple[str, int], words: bytes) -> bytes:
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(words)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_from_outside_to_a_port_inside(lab: Lab) -> None:
    with lab.server.call(socket.create_server, ("127.0.0.1", 8080)) as listener, namespaces.opened(lab.server.path) as inside:
        threading.Thread(target=echo, args=(listener,)).start()
        with Relay(("127.0.0.1", 0), ("127.0.0.1", 8080), connect_in=inside) as relay:
            assert ask(relay.address, b"abc" * 200_000) == b"ABC" * 200_000


def test_from_inside_to_a_port_outside(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, namespaces.opened(lab.server.path) as inside:
        threading.Thread(target=echo, args=(listener,)).start()
        with Relay(("192.0.2.2", 80), listener.getsockname(), listen_in=inside):
            assert lab.client.call(ask, ("192.0.2.2", 80), b"hello") == b"HELLO"


def test_nobody_at_the_other_end_hangs_up_and_the_end_hangs_up_everything(lab: Lab) -> None:
    with namespaces.opened(lab.server.path) as inside, Relay(("127.0.0.1", 0), ("127.0.0.1", 9), connect_in=inside) as relay:
        assert ask(relay.address, b"") == b""
    with pytest.raises(ConnectionRefusedError):
        ask(relay.address, b"")
    with lab.server.call(socket.create_server, ("127.0.0.1", 8080)) as listener, namespaces.opened(lab.server.path) as inside:
        relay = Relay(("127.0.0.1", 0), ("127.0.0.1", 8080), connect_in=inside)
        with socket.create_connection(relay.address, timeout=20) as connection:
            listener.accept()[0].close()
            relay.close()
            assert connection.recv(1) == b""
