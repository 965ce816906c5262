"""What the README prints is run as printed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.machine import SLOW
from tests.support.repository import ROOT

BLOCKS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A state directory of the test's own, so that it meets nobody else's conditions; cleared also on failure."""
    found = {**os.environ, "NETWEATHER_STATE": str(tmp_path / "state"), "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"}
    yield found
    subprocess.run(["netweather", "clear", "--all"], env=found, check=False, capture_output=True)
    subprocess.run(["netweather", "recover"], env=found, check=False, capture_output=True)


def run(line: str, environment: dict[str, str], tries: int = 1) -> str:
    """tries: of a measurement, which a busy machine can leave without an answer."""
    for _ in range(tries):
        result = subprocess.run(
            ["sh", "-euc", line], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100 * SLOW, check=False
        )
        if result.returncode == 0:
            break
    assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"
    return result.stdout


@pytest.mark.serial
@pytest.mark.timeout(400)
def test_the_tour(environment: dict[str, str]) -> None:
    if Path("/run/netns/shop").exists():
        pytest.skip("somebody's namespace is named shop")
    tour = BLOCKS[0].strip().splitlines()
    assert len(tour) == 5
    try:
        outputs = [run(line, environment, tries=6 if " verify " in line else 1) for line in tour]
    except BaseException:
        subprocess.run([ROOT / "examples/00-two-hosts/two-hosts", "down"], check=False, capture_output=True)
        raise
    assert "round trip" in outputs[1]
    assert "netns:shop" in outputs[2]
    assert "PASS" in outputs[3]
    assert not Path("/run/netns/shop").exists()


def test_the_container_lines(docker: Any, environment: dict[str, str]) -> None:
    with docker.container(name="shop"), docker.container(name="db"):
        environment["DOCKER_HOST"] = docker.environment["DOCKER_HOST"]
        for line in BLOCKS[1].strip().splitlines():
            run(line, environment)
        assert shlex.split(BLOCKS[1].splitlines()[-1])[-1] == "docker:shop"
