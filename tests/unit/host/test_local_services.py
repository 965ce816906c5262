"""host/local_services.py: the services of this process's own network."""

from __future__ import annotations

import socket

import pytest

from netweather.host.local_services import HostService, listens, services


@pytest.mark.parametrize(("family", "bound", "reached"), [
    (socket.AF_INET, "127.0.0.1", "127.0.0.1"), (socket.AF_INET, "127.0.0.9", "127.0.0.9"), (socket.AF_INET, "0.0.0.0", "127.0.0.1"),
    (socket.AF_INET6, "::1", "::1"), (socket.AF_INET6, "::", "::1"),
])  # fmt: skip
def test_who_listens_is_a_service(family: int, bound: str, reached: str) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as made:
        made.bind((bound, 0))
        port = made.getsockname()[1]
        assert ("tcp", port) not in services()
        assert not listens("self", "tcp", port)
        made.listen()
        assert services()["tcp", port] == HostService("tcp", port, reached)
        assert listens("self", "tcp", port)


def test_a_client_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert ("tcp", client.getsockname()[1]) not in services()


def test_datagrams_without_a_peer_below_the_clients_ports() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        client.bind(("127.0.0.1", 0))
        assert ("udp", client.getsockname()[1]) not in services()
        for port in range(20_000, 20_200):
            try:
                server.bind(("127.0.0.7", port))
            except OSError:
                continue
            break
        assert services()["udp", port].address == "127.0.0.7"
        server.connect(client.getsockname())
        assert services().get(("udp", port)) != HostService("udp", port, "127.0.0.7")
