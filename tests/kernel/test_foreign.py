"""Beside what somebody else has on the same interface: it works, leaves theirs as it is, and tells what hides traffic from it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from netweather.conditions import Condition
from tests.kernel.conftest import MakeRig
from tests.support import dumps, foreign, probe
from tests.support.foreign import NEXT, OK, Foreign, tcx_names
from tests.support.netns import Namespace
from tests.support.rig import MS, Rig, delay, ports, rule
from tests.support.statistics import expect_delay, expect_near
from tests.support.traffic import Echo, round_trip, tcp_transfer, udp_client

HOOKS = pytest.mark.parametrize("hook", ["tcx", "clsact"])
DIRECTIONS = pytest.mark.parametrize("direction", ["egress", "ingress"])
QDISCS = {
    "tbf": ["qdisc add dev eth0 root handle 10: tbf rate 20mbit burst 32k limit 400k"],
    "htb": [
        "qdisc add dev eth0 root handle 10: htb default 2",
        "class add dev eth0 parent 10: classid 10:1 htb rate 20mbit",
        "class add dev eth0 parent 10: classid 10:2 htb rate 1gbit",
        "qdisc add dev eth0 parent 10:1 handle 11: pfifo limit 500",
        "qdisc add dev eth0 parent 10:2 handle 12: pfifo limit 5000",
        f"filter add dev eth0 parent 10: protocol ip u32 match ip dport {probe.PORT} 0xffff flowid 10:1",
    ],
}
V4 = "192.0.2.2"
PACKETS = 50


def tc(namespace: Namespace, *commands: str) -> None:
    for command in commands:
        namespace.run("tc", *command.split())


def sent_by_root(namespace: Namespace) -> int:
    """Packets that went through eth0's root qdisc."""
    listed = json.loads(namespace.run("tc", "-s", "-j", "qdisc", "show", "dev", "eth0", "root").stdout)
    return int(listed[0]["packets"])


def exchange(rig: Rig, port: int = 7) -> list[float]:
    """So many packets to the echo and back; their round trips."""
    with Echo(rig.net.server, [port]), udp_client(rig.net.client, V4, port) as connection:
        return [round_trip(connection) for _ in range(PACKETS)]


@HOOKS
@pytest.mark.parametrize("qdisc", QDISCS)
def test_a_foreign_root_qdisc_stays_and_works(make_rig: MakeRig, qdisc: str, hook: str) -> None:
    with make_rig(hook=hook) as rig:
        tc(rig.net.client, *QDISCS[qdisc])
        before = dumps.settled(rig.net.client)
        sent = sent_by_root(rig.net.client)
        rig.set(rule(delay(20), direction="both"))
        assert dumps.entries(rig.net.client.run("tc", "-j", "qdisc", "show", "dev", "eth0", "root").stdout)[0]["handle"] == "10:"
        expect_delay([round(1e9 * took) for took in exchange(rig)], 40 * MS)
        assert sent_by_root(rig.net.client) >= sent + PACKETS  # the same one, with its own counters
        # Its own shaping still holds for what was delayed.
        seen = probe.stream(rig.net.client, rig.net.server, 1200, pps=4000, size=1472, patience=0.6)
        expect_near(probe.arrival_rate(seen.arrivals[100:], 1472), 20e6, 0.05)
        assert rig.shown().unwanted_drops == 0
        rig.clear()
        dumps.assert_same(before, rig.net.client)


@HOOKS
def test_a_rate_limit_of_ours_and_a_foreign_htb_beside_each_other(make_rig: MakeRig, hook: str) -> None:
    with make_rig(hook=hook) as rig:
        tc(rig.net.client, *QDISCS["htb"])
        rig.set(rule(delay(5), protocol="tcp"))
        assert tcp_transfer(rig.net.client, rig.net.server, size=20_000_000).intact
        rig.clear()


@pytest.fixture
def counting() -> Iterator[Foreign]:
    with Foreign.load(NEXT) as program:
        yield program


@HOOKS
@pytest.mark.parametrize("kind", ["tcx first", "tcx last", "clsact"])
def test_foreign_programs_that_were_there_see_every_packet_once(make_rig: MakeRig, kind: str, hook: str) -> None:
    with make_rig(hook=hook) as rig, Foreign.load(NEXT) as outgoing, Foreign.load(NEXT) as incoming:
        if kind == "clsact":
            tc(rig.net.client, "qdisc add dev eth0 clsact")
        for counting, direction in ((outgoing, "egress"), (incoming, "ingress")):
            if kind == "clsact":
                counting.attach_clsact(rig.net.client, direction, priority=10)
            else:
                counting.attach_tcx(rig.net.client, direction, first=kind == "tcx first")
        before = dumps.settled(rig.net.client)
        rig.set(rule(delay(20), direction="both", protocol="udp"))
        already = outgoing.seen, incoming.seen
        expect_delay([round(1e9 * took) for took in exchange(rig)], 40 * MS)
        # A tcx program runs before every clsact filter: it sees a packet when it comes to ours, and again when it comes from the line.
        times = 2 if hook == "clsact" and kind != "clsact" else 1
        for counting, earlier in zip((outgoing, incoming), already, strict=True):
            assert PACKETS * times <= counting.seen - earlier <= PACKETS * times + 4  # the neighbours' discovery too
        assert rig.shown().in_force
        rig.clear()
        dumps.assert_same(before, rig.net.client)
        exchange(rig)
        assert min(outgoing.seen - already[0], incoming.seen - already[1]) >= PACKETS * (times + 1)


@DIRECTIONS
@pytest.mark.parametrize("verdict", [NEXT, OK], ids=["next", "ok"])
def test_a_foreign_tcx_program_that_comes_later_and_first_is_reported(
    make_rig: MakeRig, direction: foreign.Direction, verdict: int
) -> None:
    with make_rig() as rig, Foreign.load(verdict, "hider") as hider:
        rig.set(rule(delay(40), direction=direction))
        assert rig.shown().problems == ()
        hider.attach_tcx(rig.net.client, direction, first=True)
        (problem,) = rig.shown().problems
        assert "hider" in problem
        assert f"{direction} of eth0" in problem
        result = rig.set(rule(delay(41), direction=direction))
        assert any("hider" in note for note in result.notes)
        hidden = min(exchange(rig)) < 0.04
        assert hidden is (verdict == OK)
        rig.clear()
        assert tcx_names(rig.net.client, direction) == ["hider"]


@DIRECTIONS
def test_a_foreign_tcx_program_behind_ours_is_no_problem(make_rig: MakeRig, direction: foreign.Direction) -> None:
    with make_rig() as rig, Foreign.load(OK) as other:
        rig.set(rule(delay(20), direction=direction))
        other.attach_tcx(rig.net.client, direction)
        assert rig.shown().problems == ()
        assert min(exchange(rig)) >= 0.02
        assert other.seen >= PACKETS
        rig.clear()
        assert tcx_names(rig.net.client, direction) == ["foreign"]


@DIRECTIONS
@pytest.mark.parametrize("way", ["attached", "linked"])
def test_foreign_tcx_programs_on_both_sides_come_and_go(make_rig: MakeRig, direction: foreign.Direction, way: str) -> None:
    """One in front of ours and one behind, also as links: each sees every packet, ours stays where it is and so do they."""
    with make_rig() as rig, Foreign.load(NEXT, "front") as front, Foreign.load(NEXT, "behind") as behind:
        client, links = rig.net.client, []
        rig.set(rule(delay(20), direction=direction, protocol="udp"))
        for one, first in ((front, True), (behind, False)):
            if way == "linked":
                links.append(one.link_tcx(client, direction, first=first))
            else:
                one.attach_tcx(client, direction, first=first)
        ours = f"nw_{direction}"
        before = dumps.settled(client)
        assert tcx_names(client, direction) == ["front", ours, "behind"]
        for ms in (25, 30):  # a change of the figure leaves all of them where they are
            rig.set(rule(delay(ms), direction=direction, protocol="udp"))
            already = front.seen, behind.seen
            assert min(exchange(rig)) >= ms / 1000
            # In front: when it comes, and again from its line. Behind: only when it goes on.
            assert 2 * PACKETS <= front.seen - already[0] <= 2 * PACKETS + 4
            assert PACKETS <= behind.seen - already[1] <= PACKETS + 4
        assert rig.shown().in_force
        assert [problem for problem in rig.shown().problems if "front" in problem] != []
        dumps.assert_same(before, client)
        if way == "linked":
            links[0].close()
        else:
            front.detach_tcx(client, direction)
        assert rig.shown().problems == ()
        rig.clear()
        assert tcx_names(client, direction) == ["behind"]
        for link in links[1:]:
            link.close()


@DIRECTIONS
def test_ours_goes_in_front_of_a_foreign_link_that_was_there(make_rig: MakeRig, direction: foreign.Direction) -> None:
    """Even one that lets nothing further run: what comes from a line passes it, once."""
    with make_rig() as rig, Foreign.load(OK, "theirs") as theirs:
        link = theirs.link_tcx(rig.net.client, direction)
        before = dumps.settled(rig.net.client)
        result = rig.set(rule(delay(20), direction=direction, protocol="udp"))
        assert result.notes == () or not any("theirs" in note for note in result.notes)
        already = theirs.seen
        assert min(exchange(rig)) >= 0.02
        assert PACKETS <= theirs.seen - already <= PACKETS + 4
        rig.clear()
        dumps.assert_same(before, rig.net.client)
        link.close()


@DIRECTIONS
def test_clsact_a_filter_in_front_of_ours_is_left_and_reported(make_rig: MakeRig, direction: foreign.Direction) -> None:
    """It has the lowest preference there is, and the handle that ours would have taken."""
    with make_rig(hook="clsact") as rig, Foreign.load(OK, "hider") as hider:
        tc(rig.net.client, "qdisc add dev eth0 clsact")
        hider.attach_clsact(rig.net.client, direction, priority=1, handle=1, name="hider")
        before = dumps.settled(rig.net.client)
        result = rig.set(rule(delay(20), direction="both"))
        assert any("hider" in note for note in result.notes)
        assert [problem for problem in rig.shown().problems if "hider" in problem] != []
        exchange(rig)
        assert hider.seen >= PACKETS
        rig.clear()
        dumps.assert_same(before, rig.net.client)


@DIRECTIONS
def test_clsact_a_filter_of_another_kind_in_front_is_left(make_rig: MakeRig, direction: str) -> None:
    with make_rig(hook="clsact") as rig:
        tc(
            rig.net.client,
            "qdisc add dev eth0 clsact",
            f"filter add dev eth0 {direction} pref 1 protocol ip u32 match ip dport 9 0xffff flowid 1:1",
        )
        before = dumps.settled(rig.net.client)
        result = rig.set(rule(delay(20), direction="both"))
        assert any(f"u32 filter of preference 1 runs before ours at {direction}" in note for note in result.notes)
        expect_delay([round(1e9 * took) for took in exchange(rig)], 40 * MS)
        rig.clear()
        dumps.assert_same(before, rig.net.client)


@pytest.mark.parametrize("order", ["qdisc stays", "filter comes while ours is there"])
def test_clsact_of_somebody_else_stays(make_rig: MakeRig, counting: Foreign, order: str) -> None:
    """Also one that was empty; and ours stays as long as somebody else uses it."""
    with make_rig(hook="clsact") as rig:
        if order == "qdisc stays":
            tc(rig.net.client, "qdisc add dev eth0 clsact")
            before = dumps.settled(rig.net.client)
            rig.set(rule(Condition(block="drop"), ports=ports(9)))
            rig.clear()
            dumps.assert_same(before, rig.net.client)
            return
        rig.set(rule(Condition(block="drop"), ports=ports(9)))
        counting.attach_clsact(rig.net.client, "egress", priority=10)
        rig.clear()
        exchange(rig)
        assert counting.seen >= PACKETS
