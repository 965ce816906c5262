"""What `deploy/` has is understood by what reads it."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import yaml

from netweather.cli import main
from netweather.scope import plugin_process
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


def test_the_scope_plugins_manifest_is_for_todays_kubernetes() -> None:
    (manifest,) = yaml.safe_load_all((ROOT / "deploy" / "scope-plugin.yaml").read_text())
    assert (manifest["apiVersion"], manifest["kind"]) == ("apps/v1", "DaemonSet")
    pod = manifest["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert manifest["spec"]["selector"]["matchLabels"] == labels == manifest["metadata"]["labels"]
    assert labels == {"app": "weavescope", "weavescope-component": "weavescope-traffic-control-plugin"}  # Scope's own names
    (container,) = pod["spec"]["containers"]
    assert (pod["spec"]["hostPID"], container["securityContext"]["privileged"]) == (True, True)
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["spec"]["volumes"]}


def test_the_scope_plugins_manifest_starts_it_as_it_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    (manifest,) = yaml.safe_load_all((ROOT / "deploy" / "scope-plugin.yaml").read_text())
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    found = []
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(plugin_process, "run", lambda settings, service, wanted: found.append(wanted))
    assert main(container["args"]) == 0
    assert str(found[0].socket) == "/run/scope/plugins/traffic-control/traffic-control.sock"
