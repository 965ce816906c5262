"""What Scope 1.13's probe expects of a plugin, and what it had of its own traffic-control plugin: on a real Docker."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from netweather.engine import Engine
from netweather.engine.views.readback import read_back
from netweather.kernel.namespaces import Namespace, opened
from netweather.settings import Settings
from netweather.targets import resolve
from tests.e2e.scope.conftest import Box
from tests.support.docker import Docker
from tests.support.rig import until
from tests.support.scope import Rejected
from tests.support.scopeapp import DOCKER_CONTROLS, WINDOW, App, Seen, beside, docker_node, tick
from tests.support.scopeplugin import CLEAR, DROP, END_ALL, FAST, ID, MEDIUM, SLOW, TABLE, RealPlugin

ORIGINAL = {
    "traffic-control-table-slow": ("Traffic speed: slow", "fa-hourglass-1"),
    "traffic-control-table-medium": ("Traffic speed: medium", "fa-hourglass-2"),
    "traffic-control-table-fast": ("Traffic speed: fast", "fa-hourglass-3"),
    "traffic-control-table-pkt-drop-low": ("Packet drop: low", "fa-cut"),
    "traffic-control-table-clear": ("Clear traffic control settings", "fa-times-circle"),
}
"""Its controls: id, words, icon."""
CONDITIONS = "netweather-table"


def lines(plugin: RealPlugin, docker: Docker, id: str) -> dict[str, dict[str, object]]:  # noqa: A002 - Docker's word
    """What the kernel holds of each direction's line, read back by another process than the plugin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", docker.environment["DOCKER_HOST"])
        (target,) = resolve(f"docker:{id}")
    with target:
        held = read_back(Engine(Settings(state=plugin.state)), target)
    assert held.problems == ()
    return {str(line["direction"]): line["held"] for line in held.plain["lines"]}


def delay(line: dict[str, object]) -> object:
    """In ns, of a pump's line or netem's."""
    return line.get("delay_ns", line.get("latency"))


def seen(plugin: RealPlugin, container: str) -> Seen:
    return beside(plugin.report(), container, docker_node("running", plugin.probe.id))


def address_of(docker: Docker, container: str) -> str:
    return str(docker.inspect(container)["NetworkSettings"]["Networks"]["nwt"]["IPAddress"])


def test_the_report_is_what_the_registry_takes(plugin: RealPlugin, one: str) -> None:
    report = plugin.report()
    (spec,) = report.plain["Plugins"]
    assert (spec["id"], spec["label"], spec["api_version"]) == (ID, "Traffic control", "1")
    assert spec["interfaces"] == ["reporter", "controller"]
    assert set(report.plain) == {"Container", "Plugins"}
    assert set(report.nodes[f"{one};<container>"]) <= {"latest", "metrics"}  # no topology: T3
    assert plugin.probe.status == {ID: "ok"}


def test_the_originals_controls_and_table_are_there(plugin: RealPlugin, one: str) -> None:
    report = plugin.report()
    controls = report.topology["controls"]
    assert {key: (controls[key]["human"], controls[key]["icon"]) for key in ORIGINAL} == ORIGINAL
    assert all(key == each["id"] for key, each in controls.items())
    template = report.topology["table_templates"][TABLE]
    assert (template["id"], template["label"], template["prefix"]) == (TABLE, "Traffic Control", f"{TABLE}-")
    assert report.table(one) == {"latency": "-", "pktloss": "-"}
    assert {"Latency", "Packet Loss"} <= seen(plugin, one).metadata.keys()  # the original's never showed: other ids than keys


def test_every_profile_has_a_control_that_the_app_can_pass_on(plugin: RealPlugin) -> None:
    listed = json.loads(plugin.cli("profiles", "--json"))
    controls = plugin.report().topology["controls"]
    for profile in listed:
        assert profile["name"] in controls[f"traffic-control-profile-{profile['name']}"]["human"]
    assert len(listed) >= 30


def test_dockers_own_controls_stay(plugin: RealPlugin, docker: Docker, box: Box) -> None:
    """T1 and T2: whichever report is newer, the Docker reporter's controls are there, and none of another state."""
    with box() as id:  # noqa: A001 - Docker's word
        plugin.appeared(id)
        for state, command in (("running", ""), ("paused", "pause"), ("running", "unpause"), ("exited", "kill")):
            if command:
                docker(command, id)
            dockers = {f"docker_{each}_container" for each in DOCKER_CONTROLS[state]}
            report = plugin.report()  # the first one after the change
            for last in (True, False):
                controls = set(beside(report, id, docker_node(state, plugin.probe.id), last=last).buttons)
                ours = {each for each in controls if each.startswith(f"{ID}~")}
                assert controls - ours == dockers, (state, last)
                assert bool(ours) == (last and state == "running"), (state, last)
                assert ours <= set(report.controls)


def test_ours_win_the_race_with_the_docker_reporters(plugin: RealPlugin, one: str) -> None:
    app, now = App(), datetime.now(UTC)
    for number in range(3):
        tick(app, plugin.report(), now + timedelta(seconds=number), [(one, "running")])
        assert f"{ID}~{CLEAR}" in app.seen(one, now + timedelta(seconds=number, milliseconds=900)).icons


def test_no_node_is_without_controls(plugin: RealPlugin, box: Box, one: str) -> None:
    with box(network="none") as other, box(network="host") as third:
        for each in (other, third):
            plugin.appeared(each)
        report = plugin.report()
        assert len(report.nodes) >= 3
        for node in report.nodes:
            assert beside(report, node.removesuffix(";<container>"), docker_node("running", "p")).buttons, node


def test_delay_and_loss_come_together_and_clear_gives_back(plugin: RealPlugin, docker: Docker, one: str) -> None:
    pid = str(docker.inspect(one)["State"]["Pid"])
    inside = ("nsenter", "-t", pid, "-n", "tc")
    shaper = ["root", "tbf", "rate", "1gbit", "burst", "64kb", "limit", "1mb"]
    subprocess.run([*inside, "qdisc", "add", "dev", "eth0", *shaper], check=True)
    before = subprocess.run([*inside, "qdisc", "show"], capture_output=True, check=True).stdout
    plugin.press(one, SLOW)
    plugin.told(one, "2 s, ", latency="2000ms", pktloss="-")
    assert delay(lines(plugin, docker, one)["egress"]) == 2_000_000_000
    plugin.press(one, DROP)
    plugin.told(one, "2 s, 10 %, ", latency="2000ms", pktloss="10%")
    plugin.press(one, MEDIUM)
    plugin.told(one, latency="1000ms", pktloss="10%")
    held = lines(plugin, docker, one)
    assert set(held) == {"egress"}
    assert delay(held["egress"]) == 1_000_000_000
    assert "loss" in str(held["egress"])
    plugin.press(one, CLEAR)
    plugin.told(one, "-", latency="-", pktloss="-")
    until(lambda: subprocess.run([*inside, "qdisc", "show"], capture_output=True, check=True).stdout == before, 20, "as before")
    plugin.press(one, CLEAR)  # again: nothing to do is no error


def test_what_ended_is_shown_as_ended_as_long_as_the_app_remembers(plugin: RealPlugin, one: str) -> None:
    app, now = App(), datetime.now(UTC)
    plugin.press(one, FAST)
    app.take(plugin.report(), now)
    pressed = plugin.probe.press(ID, one, CLEAR)
    assert pressed.report
    app.take(pressed.report, now + timedelta(seconds=1), shortcut=True)
    app.add(one, docker_node("running", plugin.probe.id, now), now)
    plugin.told(one, "-")
    app.take(plugin.report(), now + timedelta(seconds=2))
    found = app.seen(one, now + WINDOW - timedelta(seconds=1))
    assert {row["state"] for row in found.rows(CONDITIONS).values()} == {"ended"}
    assert (found.metadata["Condition"], found.metadata["Made by"], found.metadata["Ends"]) == ("-", "-", "-")
    assert (found.metrics["Degraded"], app.status) == (0, "ok")


def test_traffic_is_slow_both_ways_of_a_profile(plugin: RealPlugin, docker: Docker, pair: list[str]) -> None:
    one, there = pair
    plugin.press(one, "traffic-control-profile-3g")
    plugin.told(one, "3g, ")
    least = docker("exec", one, "ping", "-c2", "-i0.2", "-W5", address_of(docker, there))
    assert float(least.rpartition("= ")[2].split("/")[0]) >= 300
    row = seen(plugin, one).rows(CONDITIONS)["traffic-control"]
    assert (row["what"], row["state"].endswith(" left")) == ("profile 3g", True)
    until(lambda: not seen(plugin, one).rows(CONDITIONS)["traffic-control"]["packets"].startswith("0, "), 20, "counted")
    assert seen(plugin, one).metrics["Degraded"] == 1
    plugin.press(one, "next-profile")
    plugin.told(one, "2g, ")
    plugin.press(one, FAST)
    plugin.told(one, "500 ms, ", latency="500ms")


def test_round_trips_and_segments_sent_again(plugin: RealPlugin, docker: Docker, pair: list[str]) -> None:
    """Of the container as metrics, and in the condition's row: before it and with it."""
    one, there = pair
    with ExitStack() as stack:
        address = address_of(docker, there)
        inside = [stack.enter_context(of_container(docker, each)) for each in (there, one)]
        listener = stack.enter_context(inside[0].run(lambda: socket.create_server((address, 5432))))
        here = stack.enter_context(inside[1].run(lambda: socket.create_connection((address, 5432))))
        other = stack.enter_context(listener.accept()[0])

        def talk() -> None:
            here.sendall(b"x" * 1000)
            other.recv(1000)
            other.sendall(b"y")
            here.recv(1)

        for _ in range(20):
            talk()
        plugin.press(one, FAST)

        def told() -> bool:
            talk()
            before, _, now = seen(plugin, one).rows(CONDITIONS)["traffic-control"]["rtt"].partition(" ms → ")
            return now != "" and 2 * float(before) < float(now.partition(" ms, ")[0])

        until(told, 30, "the round trip before and with it")
        until(lambda: seen(plugin, one).metrics["RTT, ms"] > 0, 20, "the round trip as a metric")
        assert seen(plugin, one).rows(CONDITIONS)["traffic-control"]["rtt"].endswith(" resent")
        assert seen(plugin, one).metrics["Retransmits/s"] >= 0


@contextmanager
def of_container(docker: Docker, id: str) -> Iterator[Namespace]:  # noqa: A002 - Docker's word
    with opened(Path(f"/proc/{docker.inspect(id)['State']['Pid']}/ns/net")) as namespace:
        yield namespace


def test_bandwidth_is_for_each_direction(plugin: RealPlugin, docker: Docker, one: str) -> None:
    plugin.press(one, "traffic-control-bandwidth-medium")
    plugin.press(one, FAST)
    plugin.told(one, "500 ms, 1 mbit, ", latency="500ms")
    held = lines(plugin, docker, one)
    assert delay(held["egress"]) == 500_000_000
    assert delay(held["ingress"]) is None
    rates = [{key: value for key, value in held[way].items() if "rate" in key} for way in ("egress", "ingress")]
    assert rates[0] == rates[1] != {}


def test_what_others_set_is_shown_and_ended_only_when_asked(plugin: RealPlugin, one: str) -> None:
    plugin.cli("set", f"docker:{one}", "--delay", "20ms", "--name", "by-hand", "--to", "198.51.100.77", "--owner", "alice")
    in_force = lambda: {  # noqa: E731 - asked again and again
        key: row for key, row in seen(plugin, one).rows(CONDITIONS).items() if row["state"].endswith(" left")
    }
    until(lambda: "by-hand" in in_force(), 20, "it is in the table")
    assert in_force()["by-hand"]["what"] == "delay 20ms, to 198.51.100.77 (alice)"
    plugin.press(one, FAST)
    plugin.press(one, CLEAR)
    until(lambda: set(in_force()) == {"by-hand"}, 20, "that of the plugin has ended")
    plugin.press(one, END_ALL)
    until(lambda: in_force() == {}, 20, "all have ended")


def test_what_another_condition_hides_is_not_shown(plugin: RealPlugin, one: str) -> None:
    """The first one that was set wins, also when the plugin's is set again."""
    plugin.cli("set", f"docker:{one}", "--delay", "20ms", "--name", "by-hand")
    for control in (DROP, FAST):
        plugin.press(one, control)
        plugin.told(one, "20 ms, ", latency="20ms", pktloss="-")
        assert seen(plugin, one).rows(CONDITIONS)["traffic-control"]["state"].startswith("hidden, ")
    plugin.cli("clear", f"docker:{one}", "--name", "by-hand")
    plugin.told(one, "500 ms, 10 %, ", latency="500ms", pktloss="10%")


def test_whatever_the_order_of_the_bodys_fields(plugin: RealPlugin, one: str) -> None:
    fields = {"AppID": "", "ControlArgs": {"more": "words"}, "NodeID": f"{one};<container>", "Further": [1]}
    for control, latency, *order in (
        (FAST, "500ms", "NodeID", "Control", "AppID"),
        (SLOW, "2000ms", "ControlArgs", "Control", "AppID"),
    ):
        pressed = plugin.probe.post(
            ID, {key: {**fields, "Control": control}[key] for key in (*order, *(fields.keys() - {*order}))}
        )
        assert pressed.error == ""
        assert pressed.report
        assert set(pressed.report.nodes) == {f"{one};<container>"}
        plugin.told(one, latency=latency)


def test_errors_are_told(plugin: RealPlugin, box: Box, one: str) -> None:
    with box(network="none") as bare, box(network="host") as hosts:
        for each in (bare, hosts):
            plugin.appeared(each)
        press = plugin.probe.press
        assert "[unknown-container]" in press(ID, "0" * 64, SLOW).error
        with pytest.raises(Rejected):
            press(ID, one, "docker_stop_container")
        wrong = {"NodeID": f"{one};<container>", "Control": "docker_stop_container"}
        assert "[unknown-control]" in plugin.probe.post(ID, wrong).error
        assert "[bad-node]" in plugin.probe.post(ID, {"NodeID": f"{one};<pod>", "Control": SLOW}).error
        assert "[no-interfaces]" in plugin.error(bare, SLOW)
        assert "[host-namespace]" in plugin.error(hosts, SLOW)
        assert "no-interfaces" in plugin.summary(bare)
        assert plugin.report().table(bare)["latency"] == "-"
        for body in (b"{", b"", b"[]", b'{"NodeID": 7, "Control": "x"}', b"x" * 100_000):
            assert plugin.probe.ask(ID, "POST", "/control", body).status == 400
        assert plugin.probe.ask(ID, "GET", "/control").status == 405
        assert plugin.probe.ask(ID, "GET", "/elsewhere").status == 404


def test_a_failure_leaves_what_was_there(plugin: RealPlugin, one: str) -> None:
    plugin.cli("set", f"docker:{one}", "--delay", "20ms", "--name", "traffic-control", "--owner", "alice")
    plugin.told(one, latency="20ms")
    assert "[other-owner]" in plugin.error(one, SLOW)
    plugin.told(one, latency="20ms")
    assert "other-owner" in plugin.summary(one)
    plugin.press(one, END_ALL)
    plugin.told(one, "-", latency="-")


def test_a_restarted_container_is_another_network(plugin: RealPlugin, docker: Docker, box: Box) -> None:
    with box() as id:  # noqa: A001 - Docker's word
        plugin.appeared(id)
        plugin.press(id, SLOW)
        plugin.told(id, latency="2000ms")
        docker("restart", "-t0", id)
        plugin.told(id, "-", latency="-")
        plugin.press(id, FAST)
        plugin.told(id, latency="500ms")


def test_containers_of_one_network_show_the_same(plugin: RealPlugin, box: Box, one: str) -> None:
    with box(network=f"container:{one}") as other:
        plugin.appeared(other)
        pressed = plugin.probe.press(ID, one, FAST)
        assert pressed.report
        assert set(pressed.report.nodes) == {f"{each};<container>" for each in (one, other)}
        plugin.told(other, latency="500ms")


def test_the_plugin_left_nothing_of_this_machine_open(plugin: RealPlugin) -> None:
    """Not a target of hundreds held: descriptors don't grow with looks."""
    assert plugin.process
    assert len(list(Path(f"/proc/{plugin.process.pid}/fd").iterdir())) < 100
