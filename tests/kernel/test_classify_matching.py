"""Which traffic a condition is for: one table of matches and packets, and whether the one means the other.

A packet that is meant comes back after the delay or later, always; one that isn't comes back sooner, at the latest when asked again.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from netweather.conditions import Condition, Connection, Match, PortRange, TcpFlags
from netweather.conditions.match import EXCLUSIONS
from netweather.targets import _open_namespaces
from netweather.units import Percent
from tests.support.netns import Namespace, ip
from tests.support.rig import Rig, delay, ports, rule
from tests.support.statistics import Planted, expect_share, planted
from tests.support.traffic import Echo, round_trip, tcp_client, udp_client

DELAY_MS = 25
V4, V6 = "192.0.2.2", "2001:db8::2"
FAR4, FAR6 = "198.51.100.7", "2001:db8:ffff::7"  # the server's, in other prefixes
ME4, ME6 = "192.0.2.1", "2001:db8::1"
TRIES = 4


@pytest.fixture(scope="module", autouse=True)
def far_addresses(shared_rig: Rig) -> None:
    client, server = shared_rig.net.client.name, shared_rig.net.server.name
    ip("-n", server, "-batch", "-", stdin=f"addr add {FAR4}/32 dev eth0\naddr add {FAR6}/128 dev eth0 nodad\n")
    ip("-n", client, "-batch", "-", stdin=f"route add {FAR4} dev eth0\nroute add {FAR6} dev eth0\n")


@pytest.fixture(scope="module", autouse=True)
def echo(shared_rig: Rig) -> Iterator[Echo]:
    with Echo(shared_rig.net.server, [7, 53, 80, 443, 6000, 6010, 6011]) as running:
        yield running


def slow(connection: socket.socket) -> bool:
    """Whether a connection is delayed."""
    return all(round_trip(connection) >= DELAY_MS / 1000 for _ in range(TRIES))


def udp(client: Namespace, there: str, port: int, **more: Any) -> bool:
    with udp_client(client, there, port, **more) as connection:
        return slow(connection)


def tcp(client: Namespace, there: str, port: int, **more: Any) -> bool:
    with tcp_client(client, there, port, **more) as connection:
        return slow(connection)


def ping(client: Namespace, there: str) -> bool:
    """The same by ICMP."""
    for _ in range(TRIES):
        answer = client.run("ping", "-c1", "-W2", there).stdout
        if float(answer.split("time=")[1].split()[0]) < DELAY_MS:
            return False
    return True


TCP80, UDP80 = (tcp, V4, 80), (udp, V4, 80)
HITS = [
    # what is asked                                     a packet it means         one it doesn't
    ({"to": (V4,)}, UDP80, (udp, FAR4, 80)),
    ({"to": (V4,)}, UDP80, (udp, V6, 80)),
    ({"to": (V6,)}, (udp, V6, 80), (udp, FAR6, 80)),
    ({"to": ("192.0.2.0/24",)}, UDP80, (udp, FAR4, 80)),
    ({"to": ("198.51.100.0/25", "2001:db8::/64")}, (udp, FAR4, 80), UDP80),
    ({"to": ("198.51.100.0/25", "2001:db8::/64")}, (udp, V6, 80), (udp, FAR6, 80)),
    ({"to": ("2001:db8:ffff::/48",)}, (tcp, FAR6, 80), (tcp, V6, 80)),
    ({"to": ("0.0.0.0/0",)}, UDP80, (udp, V6, 80)),
    ({"ports": ports(80)}, TCP80, (tcp, V4, 443)),
    ({"ports": ports(80)}, (udp, V6, 80), (ping, V6)),
    ({"ports": ports(443, 80)}, (udp, V4, 443), (udp, V4, 6000)),
    ({"ports": (PortRange(6000, 6010),)}, (udp, V4, 6010), (udp, V4, 6011)),
    ({"ports": (PortRange(6000, 6010),)}, (tcp, V6, 6000), (tcp, V6, 443)),
    ({"protocol": "tcp"}, TCP80, UDP80),
    ({"protocol": "udp"}, (udp, V6, 80), (tcp, V6, 80)),
    ({"protocol": "icmp"}, (ping, V4), UDP80),
    ({"protocol": "icmp"}, (ping, V6), TCP80),
    ({"protocol": 17}, UDP80, (ping, V4)),
    ({"family": "ipv4"}, UDP80, (udp, V6, 80)),
    ({"family": "ipv6"}, (tcp, V6, 80), TCP80),
    ({"to": ("0.0.0.0/0", "::/0"), "family": "ipv6"}, (udp, V6, 80), UDP80),
    ({"protocol": "tcp", "ports": ports(80), "to": (V4,)}, TCP80, UDP80),
    ({"protocol": "tcp", "ports": ports(80), "to": (V4,)}, TCP80, (tcp, V4, 443)),
    ({"protocol": "tcp", "ports": ports(80), "to": (V4,)}, TCP80, (tcp, FAR4, 80)),
    ({"interfaces": ("eth0",)}, UDP80, None),
]


def described(value: Any) -> str:
    """A case's name: to=192.0.2.2 or tcp-80."""
    if isinstance(value, dict):
        parts = {name: one if isinstance(one, tuple) else (one,) for name, one in value.items()}
        return " ".join(f"{name}={','.join(map(str, part))}" for name, part in parts.items())
    return " ".join([value[0].__name__, *map(str, value[1:])]) if value else "none"


@pytest.mark.parametrize("direction", ["egress", "ingress"])
@pytest.mark.parametrize(("match", "meant", "other"), HITS, ids=described)
def test_a_match_means_its_packets_and_no_others(
    shared_rig: Rig, match: dict[str, Any], meant: tuple[Any, ...], other: tuple[Any, ...] | None, direction: str
) -> None:
    shared_rig.set(rule(delay(DELAY_MS), direction=direction, **match))
    client = shared_rig.net.client
    assert meant[0](client, *meant[1:])
    assert not other or not other[0](client, *other[1:])


@pytest.mark.parametrize("direction", ["egress", "ingress", "both"])
@pytest.mark.parametrize(("open_client", "there"), [(udp_client, V4), (udp_client, V6), (tcp_client, V4), (tcp_client, V6)])
def test_one_connection_of_two_is_slowed(shared_rig: Rig, open_client: Any, there: str, direction: str) -> None:
    client, me = shared_rig.net.client, ME6 if ":" in there else ME4
    with open_client(client, there, 80) as one, open_client(client, there, 80) as two:
        meant = Connection(me, one.getsockname()[1], there, 80)
        shared_rig.set(rule(delay(DELAY_MS), direction=direction, connection=meant))
        assert slow(one)
        assert not slow(two)
        shared_rig.set(rule(delay(DELAY_MS), direction=direction, connection=Connection(there, 80, me, two.getsockname()[1])))
        assert not slow(one)
        assert slow(two)


def test_the_targets_own_ports_count_too(shared_rig: Rig) -> None:
    """A rule with ports is about a port of either end: the target may be client or server."""
    shared_rig.set(rule(delay(DELAY_MS), direction="egress", ports=ports(5555)))
    assert udp(shared_rig.net.client, V4, 80, source_port=5555)
    assert not udp(shared_rig.net.client, V4, 80, source_port=5556)


def test_direction_is_the_targets(shared_rig: Rig) -> None:
    """egress: what it sends, whoever began; a peer of an ingress rule is the sender."""
    with Echo(shared_rig.net.client, [9]):
        for direction in ("egress", "ingress"):
            shared_rig.set(rule(delay(DELAY_MS), direction=direction, to=(V4,)))
            assert udp(shared_rig.net.server, ME4, 9)
            assert not udp(shared_rig.net.server, ME4, 9, source=FAR4)


def test_the_first_rule_that_matches_wins(shared_rig: Rig) -> None:
    shared_rig.set(
        rule(Condition(), ports=ports(80)),  # nothing is wrong with this one
        rule(delay(DELAY_MS), direction="egress", protocol="udp"),
        rule(Condition(block="drop"), direction="egress", to=(V4, V6)),
    )
    client = shared_rig.net.client
    assert not udp(client, V4, 80)
    assert udp(client, V4, 443)
    with pytest.raises(TimeoutError):
        tcp(client, V4, 443, timeout=0.3)


def test_conditions_are_one_list_by_priority_and_then_by_creation(shared_rig: Rig) -> None:
    client = shared_rig.net.client
    shared_rig.clear()
    shared_rig.set(rule(delay(DELAY_MS), direction="egress", ports=ports(80)), name="first")
    shared_rig.set(rule(Condition()), name="second")
    assert udp(client, V4, 80)
    assert not udp(client, V4, 443)
    shared_rig.set(rule(Condition(), priority=-1), name="second")
    assert not udp(client, V4, 80)
    shared_rig.set(rule(Condition(), priority=1), name="second")
    assert udp(client, V4, 80)
    shared_rig.clear("second")
    assert udp(client, V4, 80)
    shared_rig.clear("first")
    assert not udp(client, V4, 80)


def test_what_is_excluded_no_rule_touches(shared_rig: Rig) -> None:
    client = shared_rig.net.client
    shared_rig.set(rule(delay(DELAY_MS), direction="egress"), exclude=(Match(ports=ports(443)), Match(to=(FAR4,))))
    assert udp(client, V4, 80)
    assert tcp(client, V6, 80)
    assert not tcp(client, V6, 443)
    assert not udp(client, FAR4, 80)
    assert ping(client, V4)


def test_what_is_excluded_by_name_no_rule_touches(shared_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes are what the host sends, which here is played by the server."""
    client, server = shared_rig.net.client, shared_rig.net.server
    shared_rig.set(rule(delay(DELAY_MS), direction="egress"), exclude=(EXCLUSIONS["dns"],))
    assert not udp(client, V4, 53)
    assert udp(client, V4, 80)
    monkeypatch.setattr(_open_namespaces, "host_path", lambda: str(server.path))
    shared_rig.set(rule(delay(DELAY_MS), direction="egress"), exclude=(EXCLUSIONS["probes"],))
    assert not ping(client, V4)
    assert not tcp(client, V6, 80)
    monkeypatch.setattr(_open_namespaces, "host_path", lambda: str(client.path))
    shared_rig.set(rule(delay(DELAY_MS), direction="egress"), exclude=(EXCLUSIONS["probes"],))
    assert ping(client, V4)


def test_what_is_excluded_from_one_condition_another_may_touch(shared_rig: Rig) -> None:
    client = shared_rig.net.client
    shared_rig.clear()
    shared_rig.set(rule(Condition(block="drop")), exclude=(Match(ports=ports(443)),), name="first")
    shared_rig.set(rule(delay(DELAY_MS), direction="egress"), name="second")
    assert udp(client, V4, 443)
    with udp_client(client, V4, 80) as connection, pytest.raises(TimeoutError):
        round_trip(connection, 0.2)
    shared_rig.clear()


@planted()
@pytest.mark.parametrize("there", [V4, V6])
def test_a_share_of_the_connections(shared_rig: Rig, there: str, planted: Planted) -> None:
    """Chosen by a hash of each, so that a connection that is hit stays hit."""
    asked, count = 0.4, 900
    shared_rig.set(rule(Condition(block="drop"), protocol="udp", share=Percent(planted.of(asked * 10**9))))
    with ExitStack() as stack:
        numbers = range(20_000, 20_000 + count)
        sockets = [stack.enter_context(udp_client(shared_rig.net.client, there, 80, source_port=n)) for n in numbers]
        hit = without_answer(sockets)
        assert without_answer(sockets) == hit
    with planted.verdict():
        expect_share(len(hit), count, asked)


def without_answer(sockets: list[socket.socket]) -> set[int]:
    """Asks an echo on all of them at once; the numbers of those that hear nothing."""
    waiting = {one: number for number, one in enumerate(sockets)}
    for one in sockets:
        one.send(b"?")
    with selectors.DefaultSelector() as selector:  # select() itself takes no descriptor beyond 1,023
        for one in sockets:
            selector.register(one, selectors.EVENT_READ)
        while ready := selector.select(0.4):
            for key, _ in ready:
                heard = next(one for one in (key.fileobj,) if isinstance(one, socket.socket))
                heard.recv(1)
                selector.unregister(heard)
                del waiting[heard]
    return set(waiting.values())


def test_a_share_is_of_connections_not_of_packets(shared_rig: Rig) -> None:
    shared_rig.set(rule(Condition(delay=delay(DELAY_MS), seed=5), share=Percent.parse("50%"), direction="both"))
    seen = set()
    for port in range(21_000, 21_020):
        with udp_client(shared_rig.net.client, V4, 80, source_port=port) as connection:
            times = [round_trip(connection) for _ in range(5)]
        # In both directions or in none; a hit one takes twice the delay each time.
        assert min(times) >= 2 * DELAY_MS / 1000 or min(times) < DELAY_MS / 1000
        seen.add(min(times) >= 2 * DELAY_MS / 1000)
    assert seen == {True, False}


@pytest.mark.parametrize("there", [V4, V6])
def test_tcp_flags(shared_rig: Rig, there: str) -> None:
    """Only the handshake's SYN is dropped: an open connection goes on, a new one isn't made."""
    client = shared_rig.net.client
    shared_rig.clear()
    with tcp_client(client, there, 80) as before:
        shared_rig.set(rule(Condition(block="drop"), direction="egress", tcp_flags=TcpFlags.parse("syn+!ack")))
        assert not slow(before)
        with pytest.raises(TimeoutError), closing(tcp_client(client, there, 80, timeout=0.3)):
            pass
        shared_rig.set(rule(Condition(block="drop"), direction="egress", tcp_flags=TcpFlags.parse("psh")))
        with pytest.raises(TimeoutError):
            round_trip(before, 0.3)
        with tcp_client(client, there, 80):
            pass


def test_counters_are_the_rules_own(shared_rig: Rig) -> None:
    shared_rig.clear()
    shared_rig.set(
        rule(Condition(), direction="egress", ports=ports(443)),
        rule(delay(1), direction="egress", protocol="udp"),
        rule(Condition(block="drop"), direction="egress", protocol="udp", ports=ports(80)),
    )
    for port, count in ((443, 3), (80, 5)):
        with udp_client(shared_rig.net.client, V4, port) as connection:
            for _ in range(count):
                round_trip(connection)
    passed, delayed, dropped = shared_rig.shown().rules
    assert (passed.packets, passed.dropped) == (3, 0)
    assert (delayed.packets, delayed.bytes, delayed.dropped) == (5, 5 * (14 + 20 + 8 + 8), 0)
    assert (dropped.packets, dropped.dropped) == (0, 0)
