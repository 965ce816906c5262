"""`kubectl netweather` as a user types it, on a real node: kubectl finds the plugin on PATH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.node import Cluster
from tests.support.machine import SLOW
from tests.support.rig import until
from tests.support.shop import Shop, shop

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def app(kubernetes: Cluster) -> Iterator[Shop]:
    with shop(kubernetes, clients=2, servers=1) as made:
        yield made


def netweather(app: Shop, *words: str) -> subprocess.CompletedProcess[str]:
    """kubectl netweather WORDS, in the shop's namespace."""
    folder = Path(sys.executable).parent
    assert (folder / "kubectl-netweather").exists(), "make setup installs it"
    environment = {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "KUBECONFIG": str(app.cluster.kubeconfig),
        "COLUMNS": "120",
    }
    command = ["kubectl", "netweather", *words, "--namespace", app.namespace]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90 * SLOW, check=False)


def test_a_condition_from_words_to_its_end(app: Shop) -> None:
    service, (one, other) = app.address("service", "server"), app.pods("client")
    done = netweather(app, "set", one, "--to", "service/server", "--delay", "200ms", "--direction", "egress", "--for", "5m")
    assert done.returncode == 0, done.stderr
    assert f"pod/{one}, in force on 1/1 pods\n  delay 200ms: traffic to service/server, egress\n" in done.stdout
    app.slow(one, service)
    app.quick(other, service)
    shown = netweather(app, "show")
    assert all(word in shown.stdout for word in (f"pod/{one}", "1/1", "yes", "delay 200ms")), shown.stdout
    proved = netweather(app, "verify", one)
    assert (proved.returncode, proved.stdout.split()[0]) == (0, "PASS")
    again = netweather(
        app, "set", one, "--to", "service/server", "--delay", "400ms", "--direction", "egress", "--verify", "--json"
    )
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["status"]["summary"] == "1/1"
    assert "measured on 1 pods" in netweather(app, "verify", one).stdout
    app.slow(one, service, 0.4)
    cleared = netweather(app, "clear", one)
    assert cleared.returncode == 0, cleared.stderr
    until(lambda: app.took(one, service) < 0.15, 5, "it is quick at once")
    assert netweather(app, "clear", one).returncode == 1


def test_what_is_refused_says_why(app: Shop) -> None:
    done = netweather(app, "set", "deployment/none", "--delay", "1ms")
    assert done.returncode == 1
    assert "[pods-not-in-force]" in done.stderr
    assert "whoever comes gets it" in done.stderr
    cleared = netweather(app, "clear", "--all", "--json")
    assert json.loads(cleared.stdout) == {"cleared": [f"{app.namespace}/deployment-none"], "seen": True}


def test_doctor_finds_it_installed_and_what_is_missing_elsewhere(app: Shop) -> None:
    well = netweather(app, "doctor")
    assert (well.returncode, well.stdout.count("yes ")) == (0, 10), well.stdout
    elsewhere = netweather(app, "doctor", "--installed-in", "default", "--json")
    assert elsewhere.returncode == 1
    assert [each["what"] for each in json.loads(elsewhere.stdout) if each["answer"] == "no"] == ["operator", "agents"]
