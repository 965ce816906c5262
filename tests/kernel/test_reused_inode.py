"""A namespace's inode is given again once it is gone. What was in force in it never comes into force in the next one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from netweather.conditions import Condition, NetworkCondition, Rule
from netweather.engine import Engine
from netweather.errors import NetweatherError
from netweather.kernel import keeper_process
from netweather.settings import Settings
from netweather.targets import Target, resolve
from tests.support.netns import ip

DROP = (Rule(condition=Condition(block="drop")),)


@pytest.fixture
def names() -> Iterator[tuple[str, str]]:
    made = f"nwt-inode-{os.getpid()}a", f"nwt-inode-{os.getpid()}b"
    for name in made:
        ip("netns", "add", name)
        ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", "eth9")
    yield made
    for name in made:
        if Path(f"/run/netns/{name}").exists():
            ip("netns", "del", name)


def as_if_of(engine: Engine, before: Target, target: Target) -> None:
    """The journal of the one becomes that of the other, but for what tells them apart: as when it had the inode."""
    folder = engine.journal.directory(before.identity)
    document = json.loads((folder / "journal.json").read_text())
    document["target"]["ino"] = target.ino
    (folder / "journal.json").write_text(json.dumps(document))
    folder.rename(engine.journal.directory(target.identity))


Reused = Callable[..., AbstractContextManager[tuple[Engine, Target]]]


@pytest.fixture
def reused(tmp_path: Path, names: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Reused:
    """`with reused("old") as (engine, target):` these conditions were in force in a namespace that is gone; the target has its inode."""
    monkeypatch.setattr(keeper_process, "ensure", lambda *_: None)  # it was killed
    engine = Engine(Settings(state=tmp_path))

    @contextmanager
    def made(*conditions: str) -> Iterator[tuple[Engine, Target]]:
        ((first,), (second,)) = (resolve(f"netns:{name}") for name in names)
        with second:
            with first:
                for condition in conditions:
                    engine.set(first, NetworkCondition(name=condition, rules=DROP))
            ip("netns", "del", names[0])
            as_if_of(engine, first, second)
            yield engine, second

    return made


def test_what_nobody_ended_stays_with_the_namespace_that_is_gone(reused: Reused) -> None:
    with reused("old") as (engine, target):
        assert engine.journal.read(target.identity) is not None, "what is left of the other"
        assert engine.active(target) == ()
        engine.set(target, NetworkCondition(name="new", rules=DROP))
        assert [shown.condition.name for shown in engine.show(target)] == ["new"]
        assert engine.clear(target) == ["new"]
    assert engine.show() == []


def test_clearing_one_of_its_conditions_puts_no_other_in_force(reused: Reused) -> None:
    with reused("old", "older") as (engine, target):
        with pytest.raises(NetweatherError) as wrong:
            engine.clear(target, "old")
        assert wrong.value.code == "no-such-condition"
        assert engine.show() == []
        assert engine.journal.identities() == []
