"""The agent in a container of `make image`, started as deploy/compose.yaml has it: the host's command line uses it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from netweather.client import Client
from netweather.kernel import listening
from tests.support.docker import Docker, privileged
from tests.support.repository import ROOT
from tests.support.rig import until
from tools import image

PROGRAM = [sys.executable, "-c", "import sys; from netweather.cli import main; sys.exit(main())"]
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]["netweather"]


def options(docker: Docker, folder: Path) -> list[str]:
    """What the Compose file asks for, with this test's own places; networks are Docker's here, which is in a namespace of its own."""
    assert (COMPOSE["privileged"], COMPOSE["pid"], COMPOSE["network_mode"]) == (True, "host", "host")
    places = {"/run/netweather": folder / "run", "/var/run/docker.sock": docker.socket, "/var/log/netweather": folder / "log"}
    volumes = [part.split(":") for part in COMPOSE["volumes"]]
    assert places.keys() <= {inside for _, inside, *_ in volumes}
    mounts = [word for inside, here in places.items() for word in ("-v", f"{here}:{inside}")]
    return [*privileged(), "--pid=host", "--network=host", *mounts]


@pytest.mark.timeout(300)
def test_the_agent_of_the_image_changes_its_neighbours(docker: Docker, tmp_path: Path) -> None:
    made = image.make_image(tmp_path / "image.tar")
    docker("import", *[part for change in image.CHANGES for part in ("-c", change)], str(made), "nwt-agent")
    for name in ("run", "log"):
        (tmp_path / name).mkdir()
    socket = tmp_path / "run" / "agent.sock"
    with docker.container() as here, docker.container() as there:
        agent = docker("run", "-d", *options(docker, tmp_path), "nwt-agent", *COMPOSE["command"])
        try:
            until(lambda: socket.exists() and listening.answers(socket), 60, docker("logs", agent, check=False))
            said = netweather(docker, socket, "set", f"docker:{here}", "--delay", "40ms", "--for", "1m")
            assert "set 'default'" in said
            assert round_trip(docker, here, there) >= 80
            netweather(docker, socket, "clear", f"docker:{here}")
            assert round_trip(docker, here, there) < 40
            with Client(f"unix://{socket}") as client:
                assert client.look("doctor")["works"] is True
            assert '"action": "set"' in (tmp_path / "log" / "audit.log").read_text()
        finally:
            docker("rm", "-f", agent, check=False)
            docker("rmi", "nwt-agent", check=False)


def netweather(docker: Docker, socket: Path, *words: str) -> str:
    """The host's command line, which asks that agent."""
    environment = {**docker.environment, "NETWEATHER_AGENT": f"unix://{socket}"}
    done = subprocess.run([*PROGRAM, *words], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def round_trip(docker: Docker, here: str, there: str) -> float:
    """The shortest of three, in milliseconds."""
    said = docker("exec", here, "ping", "-c3", "-i0.2", "-W2", docker.address(there))
    return min(float(found) for found in re.findall(r"time=([\d.]+) ms", said))
