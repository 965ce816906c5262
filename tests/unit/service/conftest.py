"""The service over fake kernels, for any caller."""

from __future__ import annotations

from pathlib import Path

import pytest

from netweather import targets
from netweather.conditions import NetworkCondition, load
from netweather.engine import Engine
from netweather.kernel import keeper_process
from netweather.service import Caller, LocalService, callers
from netweather.settings import Settings
from tests.support.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World.make(tmp_path / "ns")
    monkeypatch.setattr(keeper_process, "ensure", lambda *_: None)
    monkeypatch.setattr(targets, "resolve_all", made.resolve)
    monkeypatch.setattr(targets, "resolve", lambda reference: made.resolve([reference]))
    monkeypatch.setattr(callers, "open_reference", lambda reference, **_: made.resolve([reference.text]))
    return made


@pytest.fixture
def service(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalService:
    """Direct mode."""
    made = LocalService(Engine(Settings(state=tmp_path / "state"), world.open_kernel))
    monkeypatch.setattr(made.engine, "_remove_remains", made.engine.journal.forget)
    return made


def slow(*references: str, to: str = "", name: str = "default", **more: object) -> NetworkCondition:
    match = {"to": [to]} if to else {}
    return load({"name": name, "targets": list(references), "rules": [{**match, "condition": {"delay": "1s"}}], **more})


def may(*scopes: str, name: str = "ci") -> Caller:
    """A caller with these scopes."""
    return Caller(name, frozenset(scopes))
