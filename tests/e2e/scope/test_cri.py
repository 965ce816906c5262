"""Pods of a real containerd in the plugin's report, and its controls on them: CRI's reporter gives them no buttons of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netweather.scope.buttons import PANEL
from tests.support.containerd import Containerd, Pod
from tests.support.rig import at_last, until
from tests.support.scopeapp import Seen, beside, cri_node
from tests.support.scopeplugin import CLEAR, FAST, ID, RealPlugin


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory, containerd: Containerd) -> Iterator[RealPlugin]:
    made = RealPlugin(tmp_path_factory.mktemp("cri"), {"CONTAINER_RUNTIME_ENDPOINT": f"unix://{containerd.socket}"})
    made.start()
    yield made
    made.close()


def seen(plugin: RealPlugin, container: str) -> Seen:
    return beside(plugin.report(), container, cri_node())


def trips(pod: Pod, there: str) -> list[float]:
    """Round trips in ms, by the pod's own busybox."""
    report = pod.run("ping", "-c", "2", "-W", "3", there, check=False)
    return [float(line.split("time=")[1].split()[0]) for line in report.splitlines() if "time=" in line]


def test_a_pods_containers_have_buttons_that_work_on_its_network(plugin: RealPlugin, containerd: Containerd) -> None:
    with containerd.pod(containers=("app", "sidecar")) as pod, containerd.pod() as other:
        app, sidecar, elsewhere = (*pod.containers.values(), *other.containers.values())
        for each in (app, sidecar, elsewhere):
            plugin.appeared(each)
        report = plugin.report()
        assert report.values(app)["control_probe_id"] == plugin.probe.id  # T5
        assert len(seen(plugin, app).icons) == len(PANEL)  # there is more room where Docker has no icons
        assert set(seen(plugin, app).icons) <= set(report.controls)
        until(lambda: seen(plugin, app).metrics.get("Retransmits/s") == 0, 20, "how its network fares is counted")
        pressed = plugin.probe.press(ID, app, FAST)
        assert pressed.error == ""
        assert pressed.report
        assert set(pressed.report.nodes) == {f"{each};<container>" for each in (app, sidecar)}  # they share the pod's network
        for each in (app, sidecar):
            plugin.told(each, "500 ms, ", latency="500ms")
        assert plugin.report().table(elsewhere)["latency"] == "-"
        assert min(trips(pod, other.address)) >= 500
        again = pod.start("again", attempt=1)  # the pod's network outlives its containers
        pod.stop("app")
        plugin.appeared(again)
        plugin.told(again, latency="500ms")
        until(lambda: f"{app};<container>" not in plugin.report().nodes, 20, "the container that ended is gone")
        plugin.press(again, CLEAR)
        plugin.told(sidecar, latency="-")
        at_last(lambda: max(trips(pod, other.address)), 0, 250)


def test_a_pod_on_the_nodes_network_is_left_out(plugin: RealPlugin, containerd: Containerd) -> None:
    """T2 and T4: nobody else has buttons for it, and ours would work on the node."""
    with containerd.pod(on_host=True) as hosts, containerd.pod() as pod:
        (own,) = pod.containers.values()
        (host,) = hosts.containers.values()
        plugin.appeared(own)
        assert f"{host};<container>" not in plugin.report().nodes
        assert "[host-namespace]" in plugin.probe.press(ID, host, FAST).error


def test_a_pod_that_is_removed_takes_its_nodes_with_it(plugin: RealPlugin, containerd: Containerd) -> None:
    with containerd.pod() as pod:
        (id,) = pod.containers.values()  # noqa: A001 - CRI's word
        plugin.appeared(id)
        plugin.press(id, FAST)
    until(lambda: f"{id};<container>" not in plugin.report().nodes, 20, "it is gone")
    assert "[unknown-container]" in plugin.probe.press(ID, id, CLEAR).error
    until(lambda: plugin.cli("show").startswith("no conditions"), 20, "its condition has ended with it")
