"""`doctor`: what is said of findings, and the exit code. The probes themselves: tests/kernel/test_probes.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netweather.kernel.features import features
from netweather.kernel.features.features import FEATURES, Finding
from tests.unit.cli.conftest import Run

BY_NAME = {feature.name: feature for feature in FEATURES}


@pytest.fixture
def asked() -> list[bool]:
    """Whether modules were to be loaded, at each call."""
    return []


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch, asked: list[bool]) -> dict[str, Finding]:
    found = {name: Finding(feature, "yes", "there") for name, feature in BY_NAME.items()}
    monkeypatch.setattr(features, "probe_all", lambda state, load: asked.append(load) or list(found.values()))
    return found


def test_all_is_well(run: Run, findings: dict[str, Finding]) -> None:
    outcome = run("doctor")
    assert outcome.code == 0
    assert outcome.out.startswith("Linux ")
    assert "tcx           yes        there\n" in outcome.out
    assert outcome.out.endswith("\nNetweather works on this machine.\n")


def test_what_is_needed_and_missing_has_its_remedy(run: Run, findings: dict[str, Finding]) -> None:
    findings["tun"] = Finding(BY_NAME["tun"], "no", "there is no /dev/net/tun", "add --device /dev/net/tun")
    outcome = run("doctor")
    assert outcome.code == 1
    assert "tun no there is no /dev/net/tun (for emulated links by the pump)" in " ".join(outcome.out.split())
    assert "remedy: add --device /dev/net/tun\n" in outcome.out
    assert outcome.out.endswith("\nNetweather does not work on this machine: tun\n")
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_what_something_else_does_as_well_is_no_harm(run: Run, findings: dict[str, Finding]) -> None:
    findings["tcx"] = Finding(BY_NAME["tcx"], "no", "Linux 6.1 is older than 6.6")
    outcome = run("doctor")
    assert outcome.code == 0
    text = " ".join(outcome.out.split())
    assert "clsact is used: " in text
    findings["clsact"] = Finding(BY_NAME["clsact"], "unknown", "who knows")
    outcome = run("doctor")
    assert outcome.code == 1
    assert "can't tell" in outcome.out
    assert outcome.out.endswith("it needs tcx, or clsact and cls_bpf\n")


def test_json(run: Run, findings: dict[str, Finding]) -> None:
    findings["netem"] = Finding(BY_NAME["netem"], "no", "built without it")
    outcome = run("doctor", "--json")
    assert outcome.code == 0
    assert outcome.json["works"] is True
    netem = next(each for each in outcome.json["features"] if each["name"] == "netem")
    assert (netem["answer"], netem["option"], netem["module"]) == ("no", "CONFIG_NET_SCH_NETEM", "sch_netem")
    assert netem["instead"] == "not needed: Netweather's own pump makes all emulated links"
    assert outcome.json["engine"] == {
        "auto": "pump",
        "why": "Netweather's pump makes all emulated links, without netem (built without it)",
    }


def test_which_engine_does_what_here(run: Run, findings: dict[str, Finding]) -> None:
    text = " ".join(run("doctor").out.split())
    assert "--engine auto uses netem: netem makes the emulated links; the pump makes those with losses by number" in text
    assert "--seed (" not in text
    findings["netem-seed"] = Finding(BY_NAME["netem-seed"], "no", "Linux 6.1 is older than 6.6")
    assert "--seed (netem takes one from Linux 6.6 on)" in " ".join(run("doctor").out.split())
    findings["netem"] = Finding(BY_NAME["netem"], "no", "the module sch_netem is not loaded", "modprobe sch_netem")
    text = " ".join(run("doctor").out.split())
    assert "--engine auto uses pump: " in text
    assert "without netem (the module sch_netem is not loaded)" in text
    assert "pump makes all emulated links remedy: modprobe sch_netem" in text


def test_modules_are_loaded_only_when_that_is_said(
    run: Run, findings: dict[str, Finding], asked: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert run("doctor").code == run("doctor", "--modprobe").code == 0
    assert asked == [False, True]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run("doctor", "--modprobe").code == 1
    assert asked == [False, True]


def test_the_state_directory_is_the_settings(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Path] = []
    monkeypatch.setenv("NETWEATHER_STATE", str(tmp_path))
    monkeypatch.setattr(features, "probe_all", lambda state, load: asked.append(state) or [])
    run("doctor")
    assert asked == [tmp_path]
