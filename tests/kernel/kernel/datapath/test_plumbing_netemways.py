"""netem lines as traffic sees them, through the whole engine; skipped where there is no netem, and a guest has it."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netweather.conditions import FOREVER, Condition, Delay, LossRandom, Match, NetworkCondition, Rule
from netweather.engine import Engine
from netweather.engine.verification import VerifyOptions, verify
from netweather.kernel.features.features import there
from netweather.settings import Settings
from netweather.targets import Target, resolve
from netweather.units import Duration, Packets, Percent
from tests.support.machine import SLOW
from tests.support.netns import Lab
from tests.support.rig import at_last, until

MS = 10**6


class Rig:
    """A client that is the target of an engine with its own state."""

    def __init__(self, net: Lab, state: Path) -> None:
        self.net, self.engine = net, Engine(Settings(state=state))
        self.target: Target
        (self.target,) = resolve(f"netns:{net.client.name}")

    def set(self, condition: Condition, engine: Any = "netem", **match: Any) -> Any:
        rule = Rule(Match(**match), condition)
        return self.engine.set(self.target, NetworkCondition(rules=(rule,), lease=FOREVER, engine=engine))

    def ping(self, count: int = 10, interval: float = 0.05) -> tuple[int, list[float]]:
        """How many answers came, and the smallest, mean and largest RTT in ms."""
        text = self.net.client.run(
            "ping", "-n", "-c", str(count), "-i", str(interval), "-W", "2", str(self.net.server.v4), check=False
        ).stdout
        figures = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)", text)
        received = re.search(r"(\d+) received", text)
        assert received, text
        return int(received[1]), [float(f) for f in figures.groups()] if figures else []


@pytest.fixture
def rig(make_lab: Any, tmp_path: Path) -> Iterator[Rig]:
    if not there("netem"):
        pytest.skip("this kernel has no sch_netem (NET_SCH_NETEM)")
    with make_lab() as net:
        made = Rig(net, tmp_path / "state")
        made.ping(1)  # neighbours know each other
        try:
            yield made
        finally:
            made.engine.clear(made.target)
            made.target.close()


def delay(ms: int, **more: Any) -> Condition:
    return Condition(delay=Delay(Duration(ms * MS)), **more)


def test_a_delay_is_added_changed_in_place_and_gone(rig: Rig) -> None:
    before = rig.net.client.run("tc", "-j", "qdisc").stdout
    result = rig.set(delay(100), direction="both")
    assert result.engines == ("engine netem",)
    received, (least, mean, _) = rig.ping()
    print(f"RTT with 100 ms each way: {least} {mean}")
    assert received == 10
    assert least >= 200
    at_last(lambda: rig.ping()[1][0], 200, 230)
    rig.set(delay(10), direction="both")
    received, (least, mean, _) = rig.ping()
    print(f"RTT with 10 ms each way: {least} {mean}")
    assert received == 10
    assert least >= 20
    at_last(lambda: rig.ping()[1][0], 20, 40)
    (shown,) = rig.engine.show(rig.target)
    assert (shown.engine, shown.in_force, shown.unwanted_drops) == ("netem", True, 0)
    rig.engine.clear(rig.target)
    received, (least, _, _) = rig.ping()
    assert received == 10
    at_last(lambda: rig.ping()[1][0], 0, 15)
    assert rig.net.client.run("tc", "-j", "qdisc").stdout == before
    assert "nw0" not in rig.net.client.run("ip", "link").stdout


def test_loss_is_of_single_packets(rig: Rig) -> None:
    """Pings through the hop; what it does to GSO packets of a TCP sender is not measured here."""
    rig.set(Condition(loss=LossRandom(Percent(3 * 10**8))), direction="egress")
    received, _ = rig.ping(300, 0.01)
    print(f"30 % loss: {received} of 300 came")
    assert 150 <= received <= 265
    (shown,) = rig.engine.show(rig.target)
    assert shown.in_force
    assert shown.unwanted_drops == 0


def test_engines_take_turns_without_a_trace_of_each_other(rig: Rig) -> None:
    for engine, condition in (("pump", delay(20)), ("netem", delay(30)), ("pump", delay(40))):
        rig.set(condition, engine, direction="egress")
        received, (least, _, _) = rig.ping(5)
        assert received == 5
        assert least >= condition.delay.time.ns / MS  # type: ignore[union-attr]  # it has one
        (shown,) = rig.engine.show(rig.target)
        assert (shown.engine, shown.in_force) == (engine, True)


def test_clearing_lets_out_what_is_inside(rig: Rig) -> None:
    if not there("tcx"):  # taking away a clsact of ours may cost a packet, as is told; nobody takes away this one
        rig.net.client.run("tc", "qdisc", "add", "dev", "eth0", "clsact")
    rig.set(delay(500), direction="egress")
    pings = rig.net.client.start("ping", "-n", "-c", "200", "-i", "0.01", "-w", "20", str(rig.net.server.v4))
    rig.ping(1)
    rig.engine.clear(rig.target)
    output, _ = pings.communicate(timeout=30 * SLOW)
    came = {int(each) for each in re.findall(r"icmp_seq=(\d+)", output)}
    assert set(range(1, 101)) <= came  # it ends with the 200th answer, whose turn comes after a delayed one's


def in_ours(rig: Rig, *command: str) -> None:
    """In our own namespace beside the target's."""
    inside = rig.engine.journal.directory(rig.target.identity) / "netns"
    subprocess.run(["nsenter", f"--net={inside}", *command], check=True, capture_output=True)


def test_a_netem_that_somebody_took_away_is_told(rig: Rig) -> None:
    rig.set(delay(20), direction="egress")
    in_ours(rig, "tc", "qdisc", "del", "dev", "nwl0", "root")
    (shown,) = rig.engine.show(rig.target)
    assert not shown.in_force
    assert "1 of 1 emulated links" in "; ".join(shown.problems)
    (found,) = verify(rig.engine, rig.target, VerifyOptions())
    assert (found.verdict, found.kernel["inForce"]) == ("FAIL", False)


def met(rig: Rig) -> int:
    """Packets that the only rule has met."""
    (shown,) = rig.engine.show(rig.target)
    return shown.rules[0].packets


def flood(rig: Rig) -> None:
    """20 packets at once, also where each start of a program takes seconds; until all have met the rule."""
    before = met(rig)

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            for _ in range(20):
                made.sendto(b"", (str(rig.net.server.v4), 9))

    rig.net.client.call(send)
    until(lambda: met(rig) >= before + 20, 20, "all have met the rule")


def test_netem_is_read_back_and_what_was_changed_by_hand_is_told_field_by_field(rig: Rig) -> None:
    rig.set(Condition(delay=Delay(Duration(500 * MS), jitter=Duration(MS))), direction="egress")
    (found,) = verify(rig.engine, rig.target, VerifyOptions())
    assert found.problems == ()
    (line,) = found.kernel["lines"]
    assert line["engine"] == "netem"
    line["held"].pop("seed", None)  # later kernels draw one themselves, and tell it
    assert line["requested"] == line["held"]
    assert line["held"]["latency_ns"] == 500 * MS
    in_ours(rig, "tc", "qdisc", "change", "dev", "nwl0", "root", "netem", "delay", "600ms", "1ms", "limit", "5")
    (found,) = verify(rig.engine, rig.target, VerifyOptions())
    assert found.verdict == "FAIL"
    told = "; ".join(found.problems)
    assert "emulated link 0 (egress of eth0): limit: requested" in told
    assert "latency_ns: requested 500000000, found 600000000" in told
    flood(rig)
    (shown,) = rig.engine.show(rig.target)
    assert 0 < shown.unwanted_drops <= 15  # nobody asked for a limit of 5
    assert shown.queue_drops == 0
    (found,) = verify(rig.engine, rig.target, VerifyOptions())
    assert f"{shown.unwanted_drops} packets were lost by Netweather's own devices" in "; ".join(found.problems)


def test_a_full_queue_is_part_of_what_a_limit_asks_for(rig: Rig) -> None:
    rig.set(Condition(delay=delay(500).delay, limit=Packets(5)), direction="egress")
    flood(rig)
    (shown,) = rig.engine.show(rig.target)
    assert 0 < shown.queue_drops <= 15
    assert shown.unwanted_drops == 0
