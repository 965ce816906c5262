"""Direct mode by reference; the rest of it is tested where the command line prints it."""

from __future__ import annotations

import os
from dataclasses import replace

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
    made = Direct(Engine(Settings(state=Path(tmp_path, "state")), world.open_kernel))
    monkeypatch.setattr(made.engine, "_remove_remains", made.engine.journal.forget)
    return made


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


def test_clearing_ends_all_that_setting_began(service: Direct, tmp_path: os.PathLike[str]) -> None:
    """What was netns:a has no name any more, and another namespace has that name."""
    from pathlib import Path

    folder = Path(tmp_path, "ns")
    service.set([slow("netns:a", "netns:b")])  # type: ignore[list-item]  # it is one
    (folder / "a").rename(folder / "old")
    (folder / "a").touch()
    cleared = service.clear(["netns:a"])
    assert [(each.target, each.names) for each in cleared] == [("netns:a", ()), ("netns:a", ("default",))]
    assert [each.target.reference for each in service.show()] == ["netns:b"], "what another word of the same command began stays"


def test_clearing_by_name_ends_it_where_the_name_was(service: Direct, tmp_path: os.PathLike[str]) -> None:
    from pathlib import Path

    folder = Path(tmp_path, "ns")
    service.set([slow("netns:a")])  # type: ignore[list-item]  # it is one
    (folder / "a").rename(folder / "old")
    assert [each.names for each in service.clear(["netns:a"], "default")] == [("default",)]
    (folder / "a").touch()
    (only,) = service.clear(["netns:a"], "default")
    assert getattr(only.problem, "code", "") == "no-such-condition"


def test_an_id_is_completed_from_what_was_set(service: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    """The container is gone, and its engine doesn't know it any more."""
    monkeypatch.setattr(targets, "complete", lambda text, own: text)
    service.set([slow("netns:a")])  # type: ignore[list-item]  # it is one
    (identity,) = service.engine.journal.identities()
    entry = service.engine.journal.read(identity)
    assert entry is not None
    entry.conditions = [replace(each, reference="docker:" + "ab" * 32) for each in entry.conditions]
    service.engine.journal.write(entry)
    assert service.complete("docker:" + "ab" * 6) == "docker:" + "ab" * 32
    assert service.complete("docker:" + "ab" * 5) == "docker:" + "ab" * 5
    assert service.complete("docker:abc-db") == "docker:abc-db"


def test_a_service_that_is_gone_has_the_project_for_which_it_was_set(service: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "complete", lambda text, own: text)
    service.set([slow("netns:a"), slow("netns:b")])  # type: ignore[list-item]  # they are
    references = iter(["compose:shop/web", "compose:shop/db-web"])
    for identity in service.engine.journal.identities():
        entry = service.engine.journal.read(identity)
        assert entry is not None
        entry.conditions = [replace(each, reference=next(references)) for each in entry.conditions]
        service.engine.journal.write(entry)
    assert service.complete("compose:web") == "compose:shop/web"
    assert service.complete("compose:eb") == "compose:eb"
