"""host/forwarding.py: connections and datagrams from another namespace to services of this one."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from netweather.host.forwarding import Forwarder
from netweather.kernel.namespaces import Namespace
from netweather.kernel.netlink import links
from tests.support.machine import SLOW
from tests.support.netns import Lab
from tests.support.rig import until

AT = "127.0.0.1"


@pytest.fixture
def inside(lab: Lab) -> Iterator[Namespace]:
    """A namespace whose loopback alone is of use here."""
    fd = os.open(f"/run/netns/{lab.client.name}", os.O_RDONLY)
    with Namespace(fd) as made:
        os.close(fd)
        made.run(lambda: links.bring_up("lo"))
        yield made


def connected(inside: Namespace, port: int) -> socket.socket:
    return inside.run(lambda: socket.create_connection((AT, port), 5))


def serve(listening: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    def work() -> None:
        try:
            near, _ = listening.accept()
        except OSError:
            return
        with near:
            near.settimeout(20 * SLOW)
            answer(near)

    threading.Thread(target=work, daemon=True).start()


def everything(of: socket.socket) -> bytes:
    parts = []
    while part := of.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


def test_a_connection_arrives_whole_both_ways_with_its_ends(inside: Namespace) -> None:
    sent, back = os.urandom(8 << 20), os.urandom(3 << 20)
    got: list[bytes] = []

    def answer(near: socket.socket) -> None:
        got.append(everything(near))  # until the client's half is closed
        near.sendall(back)

    with socket.create_server((AT, 0)) as service, Forwarder(inside, (AT,), {}):
        serve(service, answer)
        with connected(inside, service.getsockname()[1]) as client:
            client.settimeout(20 * SLOW)
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            assert hashlib.sha256(everything(client)).digest() == hashlib.sha256(back).digest()
    assert got == [sent]


def test_what_the_host_resets_is_reset(inside: Namespace) -> None:
    def reset(near: socket.socket) -> None:
        near.recv(1)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with socket.create_server((AT, 0)) as service, Forwarder(inside, (AT,), {}):
        serve(service, reset)
        with connected(inside, service.getsockname()[1]) as client:
            client.sendall(b"xx")
            with pytest.raises(ConnectionResetError):
                client.recv(1)


def test_services_come_and_go(inside: Namespace) -> None:
    told: list[tuple[object, bool]] = []
    with Forwarder(inside, (AT,), {}, lambda place, served: told.append((place, served))):
        with socket.create_server((AT, 0)) as service:
            port = service.getsockname()[1]
            place = ("tcp", AT, port)
            until(lambda: (place, True) in told, 20, "it is served")
            connected(inside, port).close()
        until(lambda: (place, False) in told, 20, "it is no more")
        with pytest.raises(ConnectionRefusedError):
            connected(inside, port)


def test_datagrams_find_back_to_each_client(inside: Namespace) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        service.settimeout(5 * SLOW)
        for port in range(21_000, 21_200):
            try:
                service.bind((AT, port))
            except OSError:
                continue
            break
        with Forwarder(inside, (AT,), {}):
            clients = [inside.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(3)]
            for number, client in enumerate(clients):
                client.settimeout(5 * SLOW)
                client.sendto(bytes([number]), (AT, port))
            for _ in clients:
                data, where = service.recvfrom(10)
                service.sendto(data * 3, where)
            for number, client in enumerate(clients):
                assert client.recv(10) == bytes([number]) * 3
                client.close()


def ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_nothing_is_left_at_the_end(inside: Namespace) -> None:
    before = threading.active_count()
    with socket.create_server((AT, 0)) as service:
        with Forwarder(inside, (AT,), {}):
            held = connected(inside, service.getsockname()[1])
        assert threading.active_count() == before
        with held:
            held.settimeout(5 * SLOW)
            assert ended(held)
        with pytest.raises(ConnectionRefusedError):
            connected(inside, service.getsockname()[1])
