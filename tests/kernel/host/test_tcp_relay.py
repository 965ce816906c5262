"""host/tcp_relay.py: bytes go from one namespace to another without a network between them."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack

import pytest

from netweather.host.tcp_relay import Relay
from netweather.kernel import namespaces
from tests.support.machine import SLOW
from tests.support.netns import Lab


def echo(listener: socket.socket) -> None:
    """Answers everything that came, in capitals, once it has ended."""
    connection, _ = listener.accept()
    with connection:
        said = b"".join(iter(lambda: connection.recv(65536), b""))
        connection.sendall(said.upper())


def ask(address: tuple[str, int], words: bytes) -> bytes:
    with socket.create_connection(address, timeout=20 * SLOW) as connection:
        connection.sendall(words)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_from_outside_to_a_port_inside(lab: Lab) -> None:
    with lab.server.call(socket.create_server, ("127.0.0.1", 8080)) as listener, namespaces.opened(lab.server.path) as inside:
        threading.Thread(target=echo, args=(listener,)).start()
        with Relay(("127.0.0.1", 0), ("127.0.0.1", 8080), connect_in=inside) as relay:
            assert ask(relay.address, b"abc" * 200_000) == b"ABC" * 200_000


def test_led_by_its_first_bytes_which_come_in_pieces(lab: Lab) -> None:
    """The word up to the colon is the address."""

    def lead(words: bytes, last: bool) -> tuple[str, int] | None:
        host, told, _ = words.partition(b":")
        return ("127.0.0.1" if not told else host.decode(), 8080) if told or last else None

    with ExitStack() as stack:
        for address in ("127.0.0.1", "127.0.0.2"):
            listener = stack.enter_context(lab.server.call(socket.create_server, (address, 8080)))
            threading.Thread(target=echo, args=(listener,), daemon=True).start()
        inside = stack.enter_context(namespaces.opened(lab.server.path))
        relay = stack.enter_context(Relay(("127.0.0.1", 0), lead, connect_in=inside))
        with socket.create_connection(relay.address, timeout=20 * SLOW) as connection:
            for piece in (b"127.", b"0.0.2", b":", b"word"):
                connection.sendall(piece)
                time.sleep(0.02)  # so that they come apart, mostly
            connection.shutdown(socket.SHUT_WR)
            assert b"".join(iter(lambda: connection.recv(65536), b"")) == b"127.0.0.2:WORD"
        assert ask(relay.address, b"short") == b"SHORT"


def test_from_inside_to_a_port_outside(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, namespaces.opened(lab.server.path) as inside:
        threading.Thread(target=echo, args=(listener,)).start()
        with Relay(("192.0.2.2", 80), listener.getsockname(), listen_in=inside):
            assert lab.client.call(ask, ("192.0.2.2", 80), b"hello") == b"HELLO"


def test_nobody_at_the_other_end_resets_and_the_end_hangs_up_everything(lab: Lab) -> None:
    with (
        namespaces.opened(lab.server.path) as inside,
        Relay(("127.0.0.1", 0), ("127.0.0.1", 9), connect_in=inside) as relay,
        pytest.raises(ConnectionResetError),
    ):
        ask(relay.address, b"")
    with pytest.raises(ConnectionRefusedError):
        ask(relay.address, b"")
    with lab.server.call(socket.create_server, ("127.0.0.1", 8080)) as listener, namespaces.opened(lab.server.path) as inside:
        relay = Relay(("127.0.0.1", 0), ("127.0.0.1", 8080), connect_in=inside)
        with socket.create_connection(relay.address, timeout=20 * SLOW) as connection:
            listener.accept()[0].close()
            relay.close()
            assert connection.recv(1) == b""
