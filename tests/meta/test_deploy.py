"""What `deploy/` has is understood by what reads it."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import yaml

from tests.support.repository import ROOT

UNIT = ROOT / "deploy" / "netweather-agent.service"


def test_systemd_understands_the_unit() -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here")
    done = subprocess.run(["systemd-analyze", "verify", str(UNIT)], capture_output=True, text=True, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line and "is not executable" not in line]
    assert ours == []


def test_the_unit_gives_the_agent_no_mounts_of_its_own() -> None:
    """Namespaces that it keeps by mounts would go with it, and conditions with them."""
    words = re.findall(r"^(\w+)=", UNIT.read_text(), flags=re.MULTILINE)
    assert not {word for word in words if word.startswith(("Protect", "Private", "ReadOnly", "ReadWrite", "Bind", "Root"))}
    assert "KillMode=process" in UNIT.read_text()


def test_the_container_has_what_the_agent_needs() -> None:
    (service,) = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"].values()
    assert (service["command"], service["privileged"], service["pid"]) == (["agent"], True, "host")
    assert "/run/netweather:/run/netweather" in service["volumes"]
