"""What Scope 1.13's probe expects of a plugin, and what it had of its own traffic-control plugin: on a real Docker."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from netweather.engine import Engine
from netweather.engine.reading import read_back
from netweather.kernel.namespaces import Namespace, opened
from netweather.settings import Settings
from netweather.targets import resolve
from tests.e2e.scope.conftest import Box
from tests.support.docker import Docker
from tests.support.rig import until
from tests.support.scope import DOCKER_CONTROLS, docker_node
from tests.support.scopeplugin import CLEAR, DROP, FAST, ID, MEDIUM, SLOW, TABLE, RealPlugin

ORIGINAL = {
    "traffic-control-table-slow": ("Traffic speed: slow", "fa-hourglass-1", 20),
    "traffic-control-table-medium": ("Traffic speed: medium", "fa-hourglass-2", 21),
    "traffic-control-table-fast": ("Traffic speed: fast", "fa-hourglass-3", 22),
    "traffic-control-table-pkt-drop-low": ("Packet drop: low", "fa-cut", 23),
    "traffic-control-table-clear": ("Clear traffic control settings", "fa-times-circle", 24),
}
"""Its controls: id, words, icon, rank."""


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


def test_the_report_is_what_the_registry_takes(plugin: RealPlugin, box: Box) -> None:
    with box() as id:  # noqa: A001 - Docker's word
        plugin.appeared(id)
        report = plugin.report()
        (spec,) = report.plain["Plugins"]
        assert (spec["id"], spec["label"], spec["api_version"]) == (ID, "Traffic control", "1")
        assert spec["interfaces"] == ["reporter", "controller"]
        assert set(report.plain) == {"Container", "Plugins"}
        assert set(report.nodes[f"{id};<container>"]) <= {"latestControls", "latest", "metrics"}  # no topology: T3


def test_the_originals_controls_and_table_are_there(plugin: RealPlugin, box: Box) -> None:
    with box() as id:  # noqa: A001 - Docker's word
        plugin.appeared(id)
        report = plugin.report()
        controls = report.topology["controls"]
        assert {key: (controls[key]["human"], controls[key]["icon"], controls[key]["rank"]) for key in ORIGINAL} == ORIGINAL
        assert all(key == each["id"] for key, each in controls.items())
        assert all(each["rank"] > 24 for key, each in controls.items() if key not in ORIGINAL)
        template = report.topology["table_templates"][TABLE]
        assert (template["id"], template["label"], template["prefix"]) == (TABLE, "Traffic Control", f"{TABLE}-")
        table = report.table(id)
        assert (table["latency"], table["pktloss"]) == ("-", "-")
        seen = report.seen(id, docker_node("running", plugin.probe.id))
        assert list(seen.metadata)[:2] == ["Latency", "Packet Loss"]  # the original's never showed: other ids than keys


def test_every_profile_has_a_button(plugin: RealPlugin) -> None:
    listed = json.loads(plugin.cli("profiles", "--json"))
    controls = plugin.report().topology["controls"]
    for profile in listed:
        assert profile["name"] in controls[f"traffic-control-profile-{profile['name']}"]["human"]
    assert len(listed) >= 30


@pytest.mark.parametrize("last", [True, False], ids=["ours-last", "dockers-last"])
@pytest.mark.parametrize("state", ["running", "paused", "exited"])
def test_dockers_own_buttons_stay(plugin: RealPlugin, docker: Docker, box: Box, state: str, last: bool) -> None:
    """T1 and T2: whichever report is newer, the Docker probe's buttons are there."""
    with box() as id:  # noqa: A001 - Docker's word
        plugin.appeared(id)
        if state != "running":
            docker({"paused": "pause", "exited": "kill"}[state], id)
        dockers = {f"docker_{each}_container" for each in DOCKER_CONTROLS[state]}
        beside = docker_node(state, plugin.probe.id)
        until(lambda: dockers <= set(plugin.report().seen(id, beside).buttons), 20, f"the report has the buttons of {state}")
        buttons = set(plugin.report().seen(id, beside, last=last).buttons)
        assert buttons >= dockers
        ours = {each for each in buttons if each.startswith(f"{ID}~")}
        assert bool(ours) == (last and state == "running")
        assert ours <= set(plugin.report().controls)
        if state == "paused":
            docker("unpause", id)


def test_no_node_is_without_buttons(plugin: RealPlugin, box: Box) -> None:
    with box() as one, box(network="none") as other, box(network="host") as third:
        for each in (one, other, third):
            plugin.appeared(each)
        report = plugin.report()
        for node in report.nodes:
            assert report.seen(node.removesuffix(";<container>"), docker_node("running", "p")).buttons, node


def test_delay_and_loss_come_together_and_clear_gives_back(plugin: RealPlugin, docker: Docker, box: Box) -> None:
    with box() as id:  # noqa: A001 - Docker's word
        pid = str(docker.inspect(id)["State"]["Pid"])
        inside = ("nsenter", "-t", pid, "-n", "tc")
        subprocess.run(
            [*inside, "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "1gbit", "burst", "64kb", "limit", "1mb"], check=True
        )
        before = subprocess.run([*inside, "qdisc", "show"], capture_output=True, check=True).stdout
        plugin.appeared(id)
        plugin.press(id, SLOW)
        plugin.told(id, latency="2000ms", pktloss="-")
        assert delay(lines(plugin, docker, id)["egress"]) == 2_000_000_000
        plugin.press(id, DROP)
        plugin.told(id, latency="2000ms", pktloss="10%")
        plugin.press(id, MEDIUM)
        plugin.told(id, latency="1000ms", pktloss="10%")
        held = lines(plugin, docker, id)
        assert set(held) == {"egress"}
        assert delay(held["egress"]) == 1_000_000_000
        assert "loss" in str(held["egress"])
        plugin.press(id, CLEAR)
        plugin.told(id, latency="-", pktloss="-")
        until(
            lambda: subprocess.run([*inside, "qdisc", "show"], capture_output=True, check=True).stdout == before, 10, "as before"
        )
        plugin.press(id, CLEAR)  # again: nothing to do is no error


def test_traffic_is_slow_both_ways_of_a_profile(plugin: RealPlugin, docker: Docker, box: Box) -> None:
    with box() as id, box() as there:  # noqa: A001 - Docker's word
        plugin.appeared(id)
        plugin.press(id, "traffic-control-profile-3g")
        plugin.told(id, network="3g")
        least = docker("exec", id, "ping", "-c2", "-W5", docker.inspect(there)["NetworkSettings"]["Networks"]["nwt"]["IPAddress"])
        assert 300 <= float(least.rpartition("= ")[2].split("/")[0]) < 2000
        seen = plugin.report().seen(id, docker_node("running", "p"))
        ((name, row),) = seen.rows("netweather-table").items()
        assert (name, row["what"], row["state"]) == ("traffic-control", "profile 3g", "in force")
        assert row["lease"].startswith("in ")
        until(
            lambda: int(plugin.report().seen(id, docker_node("running", "p")).rows("netweather-table")[name]["packets"]),
            10,
            "counted",
        )
        assert seen.metadata["Network conditions"] == "traffic-control"
        plugin.press(id, FAST)
        plugin.told(id, network="-", latency="500ms")


def test_round_trips_and_segments_sent_again(plugin: RealPlugin, docker: Docker, box: Box) -> None:
    """Of the container as metadata and metrics, and in the condition's row: before it and with it."""
    with box() as id, box() as there, ExitStack() as stack:  # noqa: A001 - Docker's word
        address = docker.inspect(there)["NetworkSettings"]["Networks"]["nwt"]["IPAddress"]
        inside = [stack.enter_context(of_container(docker, each)) for each in (there, id)]
        listener = stack.enter_context(inside[0].run(lambda: socket.create_server((address, 5432))))
        here = stack.enter_context(inside[1].run(lambda: socket.create_connection((address, 5432))))
        other = stack.enter_context(listener.accept()[0])

        def talk() -> None:
            here.sendall(b"x" * 1000)
            other.recv(1000)
            other.sendall(b"y")
            here.recv(1)

        plugin.appeared(id)
        for _ in range(20):
            talk()
        plugin.press(id, FAST)
        seen = lambda: plugin.report().seen(id, docker_node("running", "p"))  # noqa: E731 - asked again and again
        value = lambda key: plugin.report().nodes[f"{id};<container>"]["metrics"][key]["samples"][0]["value"]  # noqa: E731

        def told() -> bool:
            talk()
            before, _, now = seen().rows("netweather-table")["traffic-control"]["rtt"].partition(" ms → ")
            return now != "" and float(before) < 50 < float(now.removesuffix(" ms"))

        until(told, 30, "the round trip before and with it")
        until(lambda: value("netweather-rtt") > 50, 10, "the round trip as a metric")
        assert seen().metadata["Round trip of TCP"].endswith(" ms")
        again = int(seen().rows("netweather-table")["traffic-control"]["again"])
        assert int(seen().metadata["Segments sent again"]) >= again  # TCP may send again when round trips are suddenly long
        until(lambda: (talk(), value("netweather-sent") > 0)[1], 20, "what it sends is counted")
        assert value("netweather-received") >= 0
        assert value("netweather-retransmits") >= 0


@contextmanager
def of_container(docker: Docker, id: str) -> Iterator[Namespace]:  # noqa: A002 - Docker's word
    with opened(Path(f"/proc/{docker.inspect(id)['State']['Pid']}/ns/net")) as namespace:
        yield namespace


def test_bandwidth_is_for_each_direction(plugin: RealPlugin, docker: Docker, box: Box) -> None:
    with box() as id:  # noqa: A001 - Docker's word
        plugin.appeared(id)
        plugin.press(id, "traffic-control-bandwidth-medium")
        plugin.press(id, FAST)
        plugin.told(id, bandwidth="1mbit", latency="500ms")
        held = lines(plugin, docker, id)
        assert delay(held["egress"]) == 500_000_000
        assert delay(held["ingress"]) is None
        rates = [{key: value for key, value in held[way].items() if "rate" in key} for way in ("egress", "ingress")]
        assert rates[0] == rates[1] != {}


def test_what_others_set_is_shown_and_ended_only_when_asked(plugin: RealPlugin, box: Box) -> None:
    with box() as id:  # noqa: A001 - Docker's word
        plugin.appeared(id)
        plugin.cli("set", f"docker:{id}", "--delay", "20ms", "--name", "by-hand", "--to", "198.51.100.77", "--owner", "alice")
        rows = lambda: plugin.report().seen(id, docker_node("running", "p")).rows("netweather-table")  # noqa: E731 - said three times
        until(lambda: "by-hand" in rows(), 20, "it is in the table")
        assert (rows()["by-hand"]["what"], rows()["by-hand"]["owner"]) == ("delay 20ms, to 198.51.100.77", "alice")
        plugin.press(id, FAST)
        plugin.press(id, CLEAR)
        until(lambda: set(rows()) == {"by-hand"}, 20, "that of the plugin has ended")
        plugin.press(id, "traffic-control-end-all")
        until(lambda: rows() == {}, 20, "all have ended")


@pytest.mark.parametrize("order", [("NodeID", "Control", "AppID", "ControlArgs"), ("ControlArgs", "Control", "AppID", "NodeID")])
def test_whatever_the_order_of_the_bodys_fields(plugin: RealPlugin, box: Box, order: tuple[str, ...]) -> None:
    with box() as id:  # noqa: A001 - Docker's word
        plugin.appeared(id)
        fields = {"AppID": "", "Control": FAST, "ControlArgs": {"more": "words"}, "NodeID": f"{id};<container>", "Further": [1]}
        pressed = plugin.probe.post(ID, {key: fields[key] for key in (*order, "Further")})
        assert pressed.error == ""
        assert pressed.report
        assert set(pressed.report.nodes) == {f"{id};<container>"}
        plugin.told(id, latency="500ms")


def test_errors_are_told(plugin: RealPlugin, box: Box) -> None:
    with box() as id, box(network="none") as bare, box(network="host") as hosts:  # noqa: A001 - Docker's word
        for each in (id, bare, hosts):
            plugin.appeared(each)
        press = plugin.probe.press
        assert "[unknown-container]" in press(ID, "0" * 64, SLOW).error
        assert "[unknown-control]" in press(ID, id, "docker_stop_container").error
        assert "[bad-node]" in plugin.probe.post(ID, {"NodeID": f"{id};<pod>", "Control": SLOW}).error
        assert "[no-interfaces]" in plugin.error(bare, SLOW)
        assert "[host-namespace]" in plugin.error(hosts, SLOW)
        assert "no-interfaces" in plugin.report().table(bare)["note"]
        assert plugin.report().table(bare)["latency"] == "-"
        for wrong in (b"{", b"", b"[]", b'{"NodeID": 7, "Control": "x"}', b"x" * 100_000):
            assert plugin.probe.ask(ID, "POST", "/control", wrong).status == 400
        assert plugin.probe.ask(ID, "GET", "/control").status == 405
        assert plugin.probe.ask(ID, "GET", "/elsewhere").status == 404


def test_a_failure_leaves_what_was_there(plugin: RealPlugin, box: Box) -> None:
    with box() as id:  # noqa: A001 - Docker's word
        plugin.appeared(id)
        plugin.cli("set", f"docker:{id}", "--delay", "20ms", "--name", "traffic-control", "--owner", "alice")
        plugin.told(id, latency="20ms")
        assert "[other-owner]" in plugin.error(id, SLOW)
        plugin.told(id, latency="20ms")
        assert "other-owner" in plugin.report().table(id)["note"]
        plugin.press(id, "traffic-control-end-all")
        plugin.told(id, latency="-", note="-")


def test_a_restarted_container_is_another_network(plugin: RealPlugin, docker: Docker, box: Box) -> None:
    with box() as id:  # noqa: A001 - Docker's word
        plugin.appeared(id)
        plugin.press(id, SLOW)
        plugin.told(id, latency="2000ms")
        docker("restart", "-t0", id)
        plugin.told(id, latency="-")
        plugin.press(id, FAST)
        plugin.told(id, latency="500ms")


def test_containers_of_one_network_show_the_same(plugin: RealPlugin, docker: Docker, box: Box) -> None:
    with box(name="nwt-shared") as id, box(network="container:nwt-shared") as other:  # noqa: A001 - Docker's word
        plugin.appeared(id)
        plugin.appeared(other)
        pressed = plugin.probe.press(ID, id, FAST)
        assert pressed.report
        assert set(pressed.report.nodes) == {f"{each};<container>" for each in (id, other)}
        plugin.told(other, latency="500ms")


def test_the_plugin_left_nothing_of_this_machine_open(plugin: RealPlugin) -> None:
    """Not a target of hundreds held: descriptors don't grow with looks."""
    assert plugin.process
    assert len(list(Path(f"/proc/{plugin.process.pid}/fd").iterdir())) < 100
