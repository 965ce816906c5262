"""Direct mode by reference; the rest of it is tested where the command line prints it."""

from __future__ import annotations

import os

import pytest

from netweather import targets
from netweather.conditions import load
from netweather.engine import Direct, Engine
from netweather.errors import UsageError
from netweather.kernel import keeper_process
from netweather.settings import Settings
from tests.support.world import World


@pytest.fixture
def service(tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch) -> Direct:
    from pathlib import Path

    world = World.make(Path(tmp_path, "ns"))
    monkeypatch.setattr(keeper_process, "ensure", lambda *_: None)
    monkeypatch.setattr(targets, "resolve_all", world.resolve)
    monkeypatch.setattr(targets, "resolve", lambda reference: world.resolve([reference]))
    return Direct(Engine(Settings(state=Path(tmp_path, "state")), world.open_kernel))


def slow(*references: str) -> object:
    return load({"targets": list(references), "rules": [{"condition": {"delay": "1s"}}]})


def test_set_show_clear(service: Direct) -> None:
    service.set([slow("netns:a", "netns:b")])  # type: ignore[list-item]  # it is one
    assert [each.target.reference for each in service.show()] == ["netns:a", "netns:b"]
    assert len(service.show(["netns:b"])) == 1
    assert [(each.target, each.names) for each in service.clear(["netns:a"])] == [("netns:a", ("default",))]
    assert [each.names for each in service.clear()] == [("default",)]
    assert service.show() == []


def test_what_cannot_be_cleared_is_in_its_answer(service: Direct) -> None:
    gone, none = service.clear(["netns:nowhere", "netns:a"], "none")
    assert getattr(gone.problem, "code", "") == "unknown-target"
    assert getattr(none.problem, "code", "") == "no-such-condition"


def test_the_host_is_confirmed(service: Direct) -> None:
    with pytest.raises(UsageError) as wrong:
        service.set([slow("host")])  # type: ignore[list-item]  # it is one
    assert wrong.value.code == "host-not-confirmed"
    assert service.set([slow("host")], dry_run=True)  # type: ignore[list-item]  # it is one
    assert service.set([slow("host")], host=True)  # type: ignore[list-item]  # it is one
