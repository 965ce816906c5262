"""kernel/sockets/sockdiag.py on real sockets: what it tells is what `ss` tells, and what it destroys is gone for both ends."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from netweather.errors import NetweatherError
from netweather.kernel.namespaces import Namespace, opened
from netweather.kernel.netlink import rtnetlink
from netweather.kernel.sockets import sockdiag
from tests.support.machine import SLOW
from tests.support.netns import Lab
from tests.support.rig import until

Connect = Callable[..., tuple[socket.socket, socket.socket]]


@pytest.fixture
def connect(lab: Lab) -> Iterator[Connect]:
    """`connect("192.0.2.2")`: (the client's end, the server's)."""
    with ExitStack() as stack:

        def call(address: str, port: int = 5432) -> tuple[socket.socket, socket.socket]:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = lab.server.call(lambda: socket.create_server((address, port), family=family))
            with closing(listener):
                here = stack.enter_context(lab.client.call(socket.create_connection, (address, port)))
                there = stack.enter_context(listener.accept()[0])
            return here, there

        yield call


@pytest.fixture
def namespace(lab: Lab) -> Iterator[Namespace]:
    with opened(lab.client.path) as made:
        yield made


def listed(namespace: Namespace, **more: bool) -> list[sockdiag.Socket]:
    return namespace.run(lambda: list(sockdiag.sockets(**more)))


@pytest.mark.parametrize("address", ["192.0.2.2", "2001:db8::2"])
def test_a_connection_is_told_as_ss_tells_it(lab: Lab, connect: Connect, namespace: Namespace, address: str) -> None:
    here, there = connect(address)
    here.sendall(b"x" * 5000)
    there.sendall(b"y" * 300)
    until(lambda: listed(namespace)[0].receive_queue == 300, 20, "300 bytes wait")
    (one,) = listed(namespace)
    local, remote = here.getsockname(), here.getpeername()
    assert (one.local, one.local_port, one.remote, one.remote_port) == (*local[:2], *remote[:2])
    assert (sockdiag.STATES[one.state], one.protocol, one.send_queue) == ("established", sockdiag.TCP, 0)
    until(lambda: same(lab, namespace), 20, "both tell the same")  # a late acknowledgement may come between two looks


def same(lab: Lab, namespace: Namespace) -> bool:
    """Whether the one connection's figures are those that ss tells."""
    (one,) = listed(namespace)
    said = lab.client.run("ss", "-tinHe").stdout

    def told(word: str) -> str:
        found = re.search(rf"\b{word}[: ](\S+)", said)
        assert found, (word, said)
        return found[1]

    info = one.info
    assert info is not None
    rtt, variation = (round(float(part) * 1000) for part in told("rtt").split("/"))
    theirs = (
        int(told("ino")), rtt, variation, int(told("bytes_sent")), int(told("bytes_acked")), int(told("bytes_received")),
        round(float(told("minrtt")) * 1000), int(told("cwnd")), int(told("delivery_rate").removesuffix("bps")) // 8,
        round(float(told("rto")) * 1000),
    )  # fmt: skip
    return theirs == (
        one.inode, info.rtt, info.rtt_variation, info.bytes_sent, info.bytes_acked, info.bytes_received, info.min_rtt,
        info.congestion_window, info.delivery_rate, info.rto,
    )  # fmt: skip


def test_an_ipv6_socket_with_an_ipv4_peer_is_told_as_its_packets_are(lab: Lab, namespace: Namespace) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(closing(lab.server.call(socket.create_server, ("192.0.2.2", 80))))

        def dual() -> socket.socket:
            made = socket.socket(socket.AF_INET6)
            made.connect(("::ffff:192.0.2.2", 80))
            return made

        stack.enter_context(lab.client.call(dual))
        stack.enter_context(listener.accept()[0])
        (one,) = listed(namespace)
        assert (one.local, one.remote, one.family) == ("192.0.2.1", "192.0.2.2", socket.AF_INET6)


def test_listening_and_udp(lab: Lab, namespace: Namespace) -> None:
    def udp(connected: bool) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("192.0.2.1", 0))
        if connected:
            made.connect(("192.0.2.2", 53))
        return made

    with (
        closing(lab.client.call(socket.create_server, ("192.0.2.1", 8080))),
        lab.client.call(udp, connected=True),
        lab.client.call(udp, connected=False),
    ):
        assert [(s.protocol, s.remote_port) for s in listed(namespace)] == [(sockdiag.UDP, 53)]
        others = {(s.protocol, sockdiag.STATES[s.state]) for s in listed(namespace, listening=True) if not s.remote_port}
        assert others == {(sockdiag.TCP, "listening"), (sockdiag.UDP, "closed")}


def test_what_is_destroyed_is_gone_for_both_ends(connect: Connect, namespace: Namespace) -> None:
    here, there = connect("192.0.2.2")
    other, _ = connect("192.0.2.2", 8080)
    one = next(each for each in listed(namespace) if each.local_port == here.getsockname()[1])
    namespace.run(lambda: sockdiag.destroy(one))
    with pytest.raises(ConnectionAbortedError):
        here.recv(1)
    there.settimeout(5 * SLOW)
    with pytest.raises(ConnectionResetError):
        there.recv(1)
    other.send(b"alive")
    with pytest.raises(NetweatherError) as wrong:
        namespace.run(lambda: sockdiag.destroy(one))
    assert wrong.value.code == "no-such-connection"


def test_a_kernel_that_cannot(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without the option answers EOPNOTSUPP: here to a protocol that none of ours can destroy."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(rtnetlink, "ask", refuse)
    one = sockdiag.Socket(6, 1, "192.0.2.1", 1, "192.0.2.2", 2, 0, 0, 0, 0, 2, bytes(48), None)
    with pytest.raises(NetweatherError) as wrong:
        sockdiag.destroy(one)
    assert wrong.value.code == "cannot-reset"
    assert "--block reject" in wrong.value.remedy


def test_an_older_kernels_tcp_info_is_shorter() -> None:
    raw = bytes(range(1, 105))
    info = sockdiag._tcp_info(raw)
    assert info.bytes_sent == 0
    assert info.rto == int.from_bytes(raw[8:12], "little")
