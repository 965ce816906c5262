"""action.yml and deploy/ci: the steps that a workflow would run, run here; and what Compose would be told."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from netweather.kernel.datapath.pump_process import ProcessHandle
from tests.kernel.cli.machine import Machine, machine
from tests.support.machine import SLOW
from tests.support.repository import ROOT
from tests.support.rig import until

pytestmark = pytest.mark.timeout(240)
STEPS: list[dict[str, Any]] = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    with machine(tmp_path) as host:
        made = Job(host)
        yield made
        made.stop()
        host.run_here("clear", "--all")
        until(lambda: host.targets() == [], 20, "all of it is gone")


class Job:
    """A workflow's job: what one step tells is there for the next."""

    def __init__(self, host: Machine) -> None:
        self.host, self.agent = host, 0
        for name in ("env", "output", "summary"):
            (host.folder / name).touch()
        self.environment = {
            **host.environment, "GITHUB_ACTION_PATH": str(ROOT), "RUNNER_TEMP": str(host.folder),
            "NETWEATHER_AUDIT": str(host.folder / "audit.log"), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GITHUB_ENV": str(host.folder / "env"), "GITHUB_OUTPUT": str(host.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(host.folder / "summary"),
        }  # fmt: skip

    def step(self, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Runs a step as the runner does: bash, failing at the first error."""
        (found,) = [step for step in STEPS if step["id"] == name]
        told = dict(line.split("=", 1) for line in (self.host.folder / "env").read_text().splitlines())
        wanted = {key: inputs.get(value.split("inputs.")[1].split(" ")[0], "") for key, value in found.get("env", {}).items()}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", found["run"]], cwd=self.host.folder,
            env={**self.environment, **told, **wanted}, capture_output=True, text=True, timeout=200 * SLOW, check=False,
        )  # fmt: skip

    def start(self) -> str:
        """The agent's address, as the steps behind have it."""
        done = self.step("agent")
        assert done.returncode == 0, done.stdout + done.stderr
        address = dict(line.split("=", 1) for line in (self.host.folder / "env").read_text().splitlines())["NETWEATHER_AGENT"]
        assert f"agent={address}" in (self.host.folder / "output").read_text()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(address.removeprefix("unix://"))
            self.agent = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        return address

    def stop(self) -> None:
        process = ProcessHandle.of(self.agent) if self.agent else None
        if process is not None:
            process.signal(signal.SIGTERM)
            until(lambda: not process.alive, 20, "the agent has ended")


def test_the_steps_of_a_job(job: Job) -> None:
    """A target's network, through the agent that a step before has started."""
    address = job.start()
    assert address == f"unix://{job.host.folder}/state/agent.sock"
    target, server = f"netns:{job.host.net.client.name}", job.host.net.server.v4
    ping = f"ip netns exec {job.host.net.client.name} ping -c2 -i0.05 {server}"
    done = job.step("matrix", run=ping, profiles="perfect,transatlantic", target=target, options=f"--to {server}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| test | perfect | transatlantic |" in (job.host.folder / "summary").read_text()
    assert {path.name for path in (job.host.folder / "networks").iterdir()} == {"networks.html", "networks.xml", "summary.md"}
    audit = (job.host.folder / "audit.log").read_text()
    assert '"set"' in audit  # the agent did it


def test_a_failure_fails_the_step_and_stands_in_the_summary(job: Job) -> None:
    job.start()
    failing = 'test "$NETWEATHER_NETWORK" = perfect'
    done = job.step("matrix", run=failing, profiles="perfect,3g", options="--allow-unmatched")
    assert done.returncode == 1
    assert "bash on 3g: failed" in (job.host.folder / "summary").read_text()


def test_an_agent_that_does_not_start_says_why(job: Job) -> None:
    job.environment["NETWEATHER_HOOK"] = "nonsense"
    done = job.step("agent")
    assert done.returncode == 1
    assert "::error::" in done.stdout
    assert "bad-setting" in done.stdout


def test_the_install_step_installs_this_checkout() -> None:
    (found,) = [step for step in STEPS if step["id"] == "install"]
    assert '"$GITHUB_ACTION_PATH[agent,test]"' in found["run"]
    for step in STEPS:
        program = step["run"].strip('"').replace("$GITHUB_ACTION_PATH", str(ROOT))
        assert step["id"] == "install" or os.access(program, os.X_OK)


def test_the_tests_beside_the_agent_have_its_socket_and_no_privilege() -> None:
    services = yaml.safe_load((ROOT / "deploy" / "compose.tests.yaml").read_text())["services"]
    agent = yaml.safe_load((ROOT / "deploy" / services["netweather"]["extends"]["file"]).read_text())["services"]["netweather"]
    tests = services["tests"]
    path = tests["environment"]["NETWEATHER_AGENT"].removeprefix("unix://")
    assert any(path.startswith(volume.split(":")[1]) for volume in tests["volumes"])
    assert {volume for volume in tests["volumes"] if "/run" in volume} <= set(agent["volumes"])
    assert not {"privileged", "pid", "cap_add", "network_mode"} & set(tests)
    assert tests["depends_on"]["netweather"] == {"condition": "service_healthy"}
    words = tests["command"]
    assert words[words.index("--target") + 1] == "compose:shop"
    if not shutil.which("docker-compose"):
        return
    done = subprocess.run(["docker-compose", "-f", str(ROOT / "deploy" / "compose.tests.yaml"), "config"], capture_output=True)
    assert done.returncode == 0, done.stderr
