from __future__ import annotations

import socket

import pytest

from netweather.demo.processes.wire_probes import Echo, download, exchange, serve_bytes

HOST = "127.0.0.1"


def test_every_probe_comes_back_on_a_network_without_faults() -> None:
    echo = Echo(HOST, 0)
    trips = exchange(echo.address, 3, 50, 0.0002, 2.0)
    assert len(trips) == 50
    assert all(trip is not None and 0 < trip < 1000 for trip in trips)
    assert echo.arrived(3, 50) == "1" * 50
    assert echo.arrived(4, 2) == "00"


def test_lost_probes_are_none() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HOST, 0))
        assert exchange(silent.getsockname(), 1, 3, 0.0, 0.05) == [None] * 3


def test_strange_packets_are_no_probes() -> None:
    echo = Echo(HOST, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"hello", echo.address)
    assert exchange(echo.address, 1, 1, 0.0, 2.0) != [None]


def test_a_download_lasts_as_long_as_asked() -> None:
    pieces = download(serve_bytes(HOST, 0), 2, 0.05)
    assert sum(size for _, size in pieces) > 100_000
    assert 0 <= pieces[0][0] <= pieces[-1][0] < 1


def test_a_download_from_nobody_is_an_error() -> None:
    with socket.socket() as nobody:
        nobody.bind((HOST, 0))
        with pytest.raises(ConnectionRefusedError):
            download(nobody.getsockname(), 1, 1.0)
