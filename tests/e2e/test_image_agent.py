"""The agent in a container of `make image`: as deploy/compose.yaml has it, used by the host's command line; and by Compose itself,
beside the tests of deploy/compose.tests.yaml."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from netweather.client import Client
from tests.support.daemons import listens
from tests.support.docker import Docker, privileged
from tests.support.machine import SLOW
from tests.support.repository import ROOT
from tests.support.rig import until
from tools import image

PROGRAM = [sys.executable, "-c", "import sys; from netweather.cli import main; sys.exit(main())"]
TESTS = ROOT / "deploy" / "compose.tests.yaml"
PLACES = {"run": "/run/netweather", "netns": "/run/netns", "log": "/var/log/netweather"}
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]["netweather"]


def options(docker: Docker, folder: Path) -> list[str]:
    """What the Compose file asks for, with this test's own places; networks are Docker's here, which is in a namespace of its own."""
    assert (COMPOSE["privileged"], COMPOSE["pid"], COMPOSE["network_mode"]) == (True, "host", "host")
    places = {"/run/netweather": folder / "run", "/var/run/docker.sock": docker.socket, "/var/log/netweather": folder / "log"}
    volumes = [part.split(":") for part in COMPOSE["volumes"]]
    assert places.keys() <= {inside for _, inside, *_ in volumes}
    mounts = [word for inside, here in places.items() for word in ("-v", f"{here}:{inside}")]
    return [*privileged(), "--pid=host", "--network=host", *mounts]


@pytest.fixture(scope="module")
def imported(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image, in the session's Docker."""
    made = image.make_image(tmp_path_factory.mktemp("image") / "image.tar")
    docker("import", *[part for change in image.CHANGES for part in ("-c", change)], str(made), "netweather")
    yield "netweather"
    docker("rmi", "netweather", check=False)


@pytest.mark.timeout(300)
def test_the_agent_of_the_image_changes_its_neighbours(docker: Docker, imported: str, tmp_path: Path) -> None:
    for name in ("run", "log"):
        (tmp_path / name).mkdir()
    socket = tmp_path / "run" / "agent.sock"
    with docker.container() as here, docker.container() as there:
        agent = docker("run", "-d", *options(docker, tmp_path), imported, *COMPOSE["command"])
        try:
            until(lambda: listens(socket), 60, docker("logs", agent, check=False))
            said = netweather(docker, socket, "set", f"docker:{here}", "--delay", "40ms", "--for", "1m")
            assert "set 'default'" in said
            assert round_trip(docker, here, there) >= 80
            netweather(docker, socket, "clear", f"docker:{here}")
            until(lambda: round_trip(docker, here, there) < 40, 20, "it is as before")
            with Client(f"unix://{socket}") as client:
                assert client.look("doctor")["works"] is True
            assert '"action": "set"' in (tmp_path / "log" / "audit.log").read_text()
        finally:
            docker("rm", "-f", agent, check=False)


def overriding(docker: Docker, folder: Path) -> dict[str, Any]:
    """What Compose is told besides: this test's own places, documentation addresses, a shop without a registry; and where this machine
    has not all capabilities, those that are needed in place of `privileged`."""
    words = privileged()
    added = {
        key: [value for name, value in pairwise(words) if name == key] for key in ("--cap-add", "--security-opt", "--device")
    }
    agent: dict[str, Any] = {"privileged": words == ("--privileged",), "cap_add": added["--cap-add"]}
    agent |= {"security_opt": added["--security-opt"], "devices": [f"{each}:{each}" for each in added["--device"]]}
    agent["volumes"] = [f"{folder}/{name}:{inside}" for name, inside in PLACES.items()]
    agent["volumes"].append(f"{docker.socket}:/var/run/docker.sock")
    serve = "echo home >/tmp/index.html; exec httpd -f -p 80 -h /tmp"
    tests = {"volumes": [f"{folder}/run:/run/netweather", f"{folder}/reports:/reports"]}
    network = {"internal": True, "ipam": {"config": [{"subnet": "203.0.113.0/24"}]}}
    shop = {"image": "nwt-busybox", "command": ["sh", "-c", serve]}
    return {"services": {"netweather": agent, "shop": shop, "tests": tests}, "networks": {"shop": network}}


@pytest.mark.timeout(300)
def test_compose_runs_the_tests_beside_the_agent(docker: Docker, imported: str, tmp_path: Path) -> None:
    """The command that the file names; its tests have the agent's socket, and no privilege."""
    if not shutil.which("docker-compose"):
        pytest.skip("no docker-compose here")
    for name in (*PLACES, "reports"):
        (tmp_path / name).mkdir()
    (tmp_path / "override.yaml").write_text(yaml.safe_dump(overriding(docker, tmp_path)))
    (command,) = re.findall(r"^#   docker compose -f deploy/compose.tests.yaml (run .*)$", TESTS.read_text(), re.MULTILINE)
    compose = ["docker-compose", "-p", "nwt-compose", "-f", str(TESTS), "-f", str(tmp_path / "override.yaml")]
    try:
        done = subprocess.run(
            [*compose, *command.split()], env=docker.environment, capture_output=True, text=True, timeout=200 * SLOW, check=False
        )
        told = done.stdout + done.stderr + docker("logs", "nwt-compose_netweather_1", check=False)
        assert done.returncode == 0, told
        assert re.search(r"python3 +│ ✓ .*│ ✓ .*│ ✓ ", done.stdout), told
        assert "profile 3g" in (tmp_path / "reports" / "networks.html").read_text()
        audit = (tmp_path / "log" / "audit.log").read_text()
        assert audit.count('"action": "set"') == audit.count('"action": "clear"') == 2
    finally:
        down = subprocess.run([*compose, "down", "-v", "-t", "5"], env=docker.environment, capture_output=True, check=False)
    assert down.returncode == 0, down.stderr


def netweather(docker: Docker, socket: Path, *words: str) -> str:
    """The host's command line, which asks that agent."""
    environment = {**docker.environment, "NETWEATHER_AGENT": f"unix://{socket}"}
    done = subprocess.run([*PROGRAM, *words], env=environment, capture_output=True, text=True, timeout=60 * SLOW, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def round_trip(docker: Docker, here: str, there: str) -> float:
    """The shortest of three, in milliseconds."""
    said = docker("exec", here, "ping", "-c3", "-i0.2", "-W2", docker.address(there))
    return min(float(found) for found in re.findall(r"time=([\d.]+) ms", said))
