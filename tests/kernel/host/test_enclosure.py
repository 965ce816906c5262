"""host/enclosure.py: a network for one command, from which this one's services are reached, and of which nothing is left."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator

import pytest

from netweather.host import enclosure
from netweather.host.enclosure import HOST, NAME, Enclosure, ReachedService, resolve
from netweather.kernel.namespace_search import every_namespace
from netweather.kernel.waiting import until
from tests.support.machine import SLOW

ASK = "import socket, sys; print(socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).recv(9).decode(), end='')"


@pytest.fixture
def port() -> Iterator[int]:
    """Of a service on our loopback that says hello."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    near, _ = listening.accept()
                except OSError:
                    return
                with near:
                    near.sendall(b"hello")

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def said(network: Enclosure, *words: str) -> str:
    with tempfile.TemporaryFile() as output:
        started = network.start(words, os.environ, output.fileno())
        started.wait(30)
        started.end()
        output.seek(0)
        return output.read().decode()


def asked(network: Enclosure, host: str, port: int) -> str:
    return said(network, sys.executable, "-c", ASK, host, str(port))


def test_services_are_reached_by_name_and_address(port: int) -> None:
    with Enclosure() as network:
        assert asked(network, NAME, port) == "hello"
        assert asked(network, HOST, port) == "hello"
        assert "ConnectionRefusedError" in asked(network, "127.0.0.1", port)
        assert "unreachable" in asked(network, "198.51.100.1", port)


def test_localhost_is_this_machine_where_it_has_a_service_and_else_its_own(port: int) -> None:
    with Enclosure(localhost=True) as network:
        assert asked(network, "localhost", port) == "hello"
        own = (
            "import socket; s = socket.create_server(('127.0.0.1', 0));"
            "c = socket.create_connection(s.getsockname()); print(c.getpeername()[0])"
        )
        assert said(network, sys.executable, "-c", own) == "127.0.0.1\n"
        route = said(network, "ip", "route", "get", "127.0.0.1", "ipproto", "tcp", "dport", str(port))
        assert f"via {HOST} dev eth0" in route  # so it is as bad as the rest


def test_what_else_is_reached_has_its_own_name_and_address() -> None:
    """That connections arrive: tests/kernel/cli/trials/test_run.py."""
    with Enclosure((ReachedService("db.example.org", "198.51.100.1", 5432), ReachedService("", "198.51.100.2", 80))) as network:
        assert "198.51.100.1" in said(network, "getent", "hosts", "db.example.org")
        assert f"via {HOST}" in said(network, "ip", "route", "get", "198.51.100.2")
    assert resolve("127.0.0.9") == "127.0.0.9"
    assert resolve("nowhere.invalid") == ""


def test_names_are_looked_up_by_the_hosts_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enclosure, "nameserver", lambda: "127.0.0.77")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver, Enclosure() as network:
        resolver.bind(("127.0.0.77", 53))
        resolver.settimeout(10 * SLOW)
        with tempfile.TemporaryFile() as output:
            started = network.start(["getent", "ahostsv4", "shop.example.org"], os.environ, output.fileno())
            assert b"\4shop\7example\3org" in resolver.recv(512)
            started.end()
        assert f"nameserver {HOST}" in said(network, "cat", "/etc/resolv.conf")


def test_the_hosts_network_and_files_are_as_before() -> None:
    def dumped() -> str:
        words = [["ip", "-d", "addr"], ["ip", "route", "show", "table", "all"], ["ip", "rule"], ["sysctl", "net.ipv4.ip_forward"]]
        words += [["cat", "/etc/hosts", "/etc/resolv.conf"]]
        return "".join(
            subprocess.run(["ip", "netns", "exec", name, *each], capture_output=True, text=True).stdout for each in words
        )

    name = f"nwt-host-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        before = dumped()
        program = (
            "import os, subprocess, sys; from netweather.host.enclosure import Enclosure\n"
            "with Enclosure(localhost=True) as e: print('in', flush=True); sys.stdin.readline(); e.start(['true'], os.environ).wait()"
        )
        words = ["ip", "netns", "exec", name, sys.executable, "-c", program]
        running = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert running.stdout
        assert running.stdout.readline() == "in\n"
        assert dumped() == before
        running.communicate("\n", timeout=30 * SLOW)
        assert running.returncode == 0
        assert dumped() == before
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def test_what_is_left_in_the_background_is_killed() -> None:
    with Enclosure() as network:
        started = network.start(["sh", "-c", "setsid sleep 60 & echo"], os.environ)
        assert started.wait(10) == 0
        assert len(network.occupants()) == 1
        identity = network.inside.identity
    assert identity not in {(dev, ino) for _, dev, ino, _ in every_namespace()}


def test_nothing_is_left_of_a_killed_one() -> None:
    program = (
        "import os, sys, time; from netweather.host.enclosure import Enclosure\n"
        "e = Enclosure().__enter__()\n"
        "s = e.start(['sleep', '60'], os.environ); print(*e.inside.identity, s.pid, flush=True); time.sleep(60)"
    )
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert running.stdout
    dev, ino, pid = map(int, running.stdout.readline().split())
    assert (dev, ino) in {(d, i) for _, d, i, _ in every_namespace()}
    running.kill()
    running.communicate()
    assert until(lambda: (dev, ino) not in {(d, i) for _, d, i, _ in every_namespace()}, 10)
    assert until(lambda: not os.path.exists(f"/proc/{pid}"), 10)
