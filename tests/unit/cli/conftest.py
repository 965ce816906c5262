"""The command line in this process, over fake kernels: a world of targets a, b and c."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import netweather.engine
import netweather.targets
import netweather.targets.resolving
from netweather.cli import main
from netweather.engine import Engine, recovery
from netweather.kernel import keeper_process
from netweather.kernel.features import features
from netweather.settings import Settings
from tests.support.commandline import Run, caller
from tests.support.world import World


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("show", "--json")`: as on a terminal of 80 columns without colours."""
    for name in ("NO_COLOR", "FORCE_COLOR", "NETWEATHER_OWNER", "NETWEATHER_LEASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    return caller(main, capsys)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World.make(tmp_path / "ns")
    monkeypatch.setenv("NETWEATHER_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(keeper_process, "ensure", lambda *_: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    netem = next(feature for feature in features.FEATURES if feature.name == "netem")
    monkeypatch.setattr(features, "_known", {"netem": features.Finding(netem, "no", "it was left out")})
    monkeypatch.setattr(netweather.targets, "resolve_all", made.resolve)
    monkeypatch.setattr(netweather.targets, "resolve", lambda reference: made.resolve([reference]))
    # Nothing outside of this world is looked at: recover would take away what other tests have in force.
    monkeypatch.setattr(recovery, "strays", lambda *_: made.strays)
    monkeypatch.setattr(netweather.engine, "Engine", lambda settings=None: Engine(settings or Settings.load(), made.open_kernel))
    return made
