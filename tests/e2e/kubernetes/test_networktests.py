"""NetworkTests on a real node, as a CI has them: `netweather matrix --kubernetes`, whose Jobs connect to a Service and take the time."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from netweather.kubernetes.objects.networktest import read_test
from tests.cluster.node import Cluster
from tests.support.machine import SLOW
from tests.support.repository import ROOT
from tests.support.rig import until
from tests.support.shop import Shop, shop

pytestmark = pytest.mark.timeout(300)
Start = Callable[..., subprocess.Popen[str]]
PAGE = ROOT / "docs" / "kubernetes-tests.md"
COMMANDS = re.findall(r"^    (kubectl .*)$", PAGE.read_text(), re.MULTILINE)
BUYS = """
sleep {sleep}
told=$( (time nc -w 9 ${{TO:-$SERVER_SERVICE_HOST}} 80 </dev/null) 2>&1 )
echo "$told"
echo "$told" | grep -q 'real.*0m 0[.]'; late=$?
[ $late = 0 ] || why="<failure message='on $NETWEATHER_NETWORK with $VARIANT more than a second'/>"
echo "<testsuites><testsuite name='shop'><testcase name='buy' time='0.5'>$why</testcase></testsuite></testsuites>"
exit $late
"""


@pytest.fixture(scope="module")
def app(kubernetes: Cluster) -> Iterator[Shop]:
    """The application, in a namespace whose tests the operator may run."""
    with shop(kubernetes, clients=1, servers=1) as made:
        printed(made, "create rolebinding")
        yield made


def printed(app: Shop, words: str) -> str:
    """The command of the page with these words, in the application's namespace."""
    (line,) = [line for line in COMMANDS if words in line]
    command = shlex.split(line.replace("-n shop", "").partition(" > ")[0])
    assert command[0] == "kubectl"
    return app.kubectl(*command[1:])


def network(name: str, on: str, **more: Any) -> dict[str, Any]:
    """Everything that the pods of an app send takes 1.2 s longer."""
    rules = [{"direction": "egress", "condition": {"delay": {"time": "1200ms"}}}]
    return {"name": name, "condition": {"targets": [{"podSelector": {"matchLabels": {"app": on}}}], "rules": rules}, **more}


def written(app: Shop, folder: Path, networks: list[dict[str, Any]], *, sleep: int = 1, name: str = "checkout") -> Path:
    """The file with the test."""
    container = {"name": "test", "image": app.cluster.image, "imagePullPolicy": "IfNotPresent"}
    script = BUYS.format(sleep=sleep)
    pod = {"terminationGracePeriodSeconds": 1, "containers": [{**container, "command": ["sh", "-c", script]}]}
    spec = {"networks": networks, "timeout": "1m", "junit": True, "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    kind = {"apiVersion": "netweather.dev/v1alpha1", "kind": "NetworkTest"}
    path = folder / "checkout.yaml"
    path.write_text(yaml.safe_dump({**kind, "metadata": {"name": name, "namespace": app.namespace}, "spec": spec}))
    return path


@pytest.fixture
def matrix(app: Shop) -> Iterator[Start]:
    """Starts `netweather matrix`; whatever becomes of the test, it is ended, and its NetworkTest is gone."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        started.append(_matrix(app, *words))
        return started[-1]

    yield start
    for each in started:
        with each:
            each.kill()
    app.kubectl("delete", "networktests", "--all")


def _matrix(app: Shop, *words: str) -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).with_name("netweather")), "matrix", *words]
    environment = {**os.environ, "KUBECONFIG": str(app.cluster.kubeconfig)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def left(app: Shop) -> str:
    return app.kubectl("get", "networktests,networkconditions,jobs,configmaps", "-l", "netweather.dev/test", "-o", "name")


def ran(app: Shop, network: str) -> tuple[datetime, datetime]:
    """When a Job ran."""
    job = app.cluster.get("-n", app.namespace, "job", f"checkout-{network}")
    ended = next(each["lastTransitionTime"] for each in job["status"]["conditions"])
    return datetime.fromisoformat(job["status"]["startTime"]), datetime.fromisoformat(ended)


def test_the_page_s_example_is_taken_by_the_server(app: Shop) -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    document = yaml.safe_load(text)
    read_test({**document, "metadata": {**document["metadata"], "uid": ""}})
    document["metadata"]["namespace"] = app.namespace
    app.cluster.kubectl("create", "--dry-run=server", "--validate=false", "-f", "-", stdin=json.dumps(document))


def test_a_run_from_a_file_to_the_report(app: Shop, tmp_path: Path, matrix: Start) -> None:
    slow = network("slow", "server", variables={"VARIANT": "b"})
    networks = [{"name": "perfect"}, slow, network("other", "client", variables={"TO": "127.0.0.1"})]
    file, page, xml = written(app, tmp_path, networks), tmp_path / "out.html", tmp_path / "out.xml"
    words = ["--kubernetes", str(file), "--keep", "--json", "--report", str(page), "--report", str(xml)]
    running = matrix(*words)
    out, err = running.communicate(timeout=120 * SLOW)
    assert running.returncode == 1, err
    assert "network: slow: failed" in err
    told = json.loads(out)
    assert told["shortcomings"] == ["buy on slow: failed"]
    cells = {each["network"]: each for each in told["cells"]}
    assert {name: each["outcome"] for name, each in cells.items()} == {"perfect": "passed", "slow": "failed", "other": "passed"}
    (evidence,) = cells["slow"]["evidence"]
    assert (evidence["inForce"], evidence["target"]) == (True, f"{app.namespace}: {app.pods('server')[0]}")
    suites = {suite.get("name"): suite for suite in ElementTree.parse(xml).iter("testsuite")}
    assert {name: suite.get("failures") for name, suite in suites.items()} == {"perfect": "0", "slow": "1", "other": "0"}
    assert "on slow with b more than a second" in page.read_text()
    # The perfect network is that of both others' pods, and was had alone; these have none in common, and were had together.
    perfect, first, second = (ran(app, name) for name in ("perfect", "slow", "other"))
    assert perfect[1] <= min(first[0], second[0])
    assert max(first[0], second[0]) < min(first[1], second[1])
    printed(app, "wait --for=condition=Complete")
    assert printed(app, "get nwt").split()[-4:-1] == ["3/3", "True", "Shortcomings"]
    assert ElementTree.fromstring(printed(app, "report")).find("testsuite[@name='slow']") is not None
    kept = app.cluster.get("-n", app.namespace, "configmap", "checkout-report")["data"]
    assert json.loads(kept["report.json"])["shortcomings"] == told["shortcomings"]
    assert app.cluster.get("-n", app.namespace, "networkconditions")["items"] == []
    app.kubectl("delete", "nwt", "checkout")
    until(lambda: left(app) == "", 30, "all of it goes with the test")


@pytest.mark.full
def test_results_survive_a_restart_of_the_operator_in_the_middle(
    app: Shop, tmp_path: Path, matrix: Start, kubernetes: Cluster
) -> None:
    networks = [{"name": "perfect"}, network("slow", "server"), network("again", "server")]
    running = matrix("--kubernetes", str(written(app, tmp_path, networks, sleep=3)), "--json", "--must-pass", "perfect")
    until(lambda: "checkout-slow" in app.kubectl("get", "jobs", "-o", "name"), 60, "the second network's Job is there")
    before = {each["metadata"]["name"]: each["metadata"]["uid"] for each in kubernetes.get("-n", app.namespace, "jobs")["items"]}
    kubernetes.kubectl("-n", "netweather", "delete", "pod", "-l", "app.kubernetes.io/name=netweather-operator", "--wait=true")
    until(lambda: "checkout-again" in app.kubectl("get", "jobs", "-o", "name"), 90, "it goes on")
    after = {each["metadata"]["name"]: each["metadata"]["uid"] for each in kubernetes.get("-n", app.namespace, "jobs")["items"]}
    assert before.items() <= after.items()  # no Job was run twice
    out, err = running.communicate(timeout=120 * SLOW)
    assert running.returncode == 0, err
    outcomes = {each["network"]: each["outcome"] for each in json.loads(out)["cells"]}
    assert outcomes == {"perfect": "passed", "slow": "failed", "again": "failed"}
    until(lambda: left(app) == "", 30, "all of it goes with the test")


@pytest.mark.full
def test_who_stops_it_ends_its_conditions(app: Shop, tmp_path: Path, matrix: Start) -> None:
    running = matrix("--kubernetes", str(written(app, tmp_path, [network("slow", "server")], sleep=50)))
    until(lambda: "checkout-slow" in app.kubectl("get", "jobs", "-o", "name"), 60, "its Job runs")
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30 * SLOW)
    assert running.returncode == 130, err
    until(lambda: left(app) == "", 30, "all of it goes with the test")
    app.quick(app.pods("client")[0], app.address("service", "server"))


@pytest.mark.full
def test_a_namespace_that_nobody_opened_runs_no_jobs(app: Shop, tmp_path: Path, matrix: Start) -> None:
    app.kubectl("delete", "rolebinding", "netweather-tests")
    try:
        running = matrix("--kubernetes", str(written(app, tmp_path, [{"name": "perfect"}])))
        _, err = running.communicate(timeout=90 * SLOW)
        assert running.returncode == 1
        assert f"-n {app.namespace} create rolebinding netweather-tests --clusterrole=netweather-tests" in " ".join(err.split())
        assert app.kubectl("get", "jobs", "-o", "name") == ""
    finally:
        printed(app, "create rolebinding")
