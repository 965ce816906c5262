"""What docs/lab.md prints is run as printed, and the fixture `lab` as a user's tests have it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.machine import SLOW
from tests.support.repository import ROOT

PAGE = (ROOT / "docs" / "lab.md").read_text()


def run_pytest(folder: Path, text: str, *words: str) -> str:
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    (folder / "test_it.py").write_text(text)
    environment = {**os.environ, "NETWEATHER_STATE": str(folder / "state"), "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-p", "no:schemathesis", "--rootdir", str(folder), *words, "test_it.py"]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100 * SLOW,
        check=False,
    ).stdout


@pytest.mark.timeout(120)
def test_the_page(tmp_path: Path) -> None:
    (tests,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (lab,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "shop.yaml").write_text(lab)
    said = run_pytest(tmp_path, tests)
    assert "3 passed" in said, said
    assert "delay 100ms" in said, "the evidence is told"


def test_what_processes_printed_is_told_when_a_test_fails(tmp_path: Path) -> None:
    said = run_pytest(
        tmp_path,
        """
def test_by_default_client_and_server(lab, network):
    lab["server"].start("sh", "-c", "echo the server said this; sleep 60", ready="log:this")
    assert sorted(lab.hosts) == ["client", "server"]
    with lab.degrade("client", to="server", delay="30ms", direction="egress"):
        lab["client"].run("ping", "-c", "1", "server")
    (condition,) = network.conditions
    assert condition.packets == 2
""",
    )
    assert "1 failed" in said, said
    assert "lab: server-sh" in said
    assert "the server said this" in said
