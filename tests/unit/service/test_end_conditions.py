"""Conditions end: by reference or everywhere, for their owners; what fails on one target is in its answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netweather.engine import Engine
from netweather.errors import NetweatherError
from netweather.results import Cleared
from netweather.service import LocalService
from tests.support.world import World
from tests.unit.service.conftest import may, slow

ANN = may("read", "set", name="ann")
BOB = may("read", "set:netns:a", name="bob")


def names(service: LocalService) -> list[tuple[str, str]]:
    return [(each.target.reference, each.condition.name) for each in service.show()]


def codes(answers: list[Cleared]) -> list[tuple[tuple[str, ...], str | None]]:
    return [(each.names, getattr(each.problem, "code", None)) for each in answers]


def test_one_that_cannot_be_opened_does_not_stop_the_others(service: LocalService) -> None:
    service.set([slow("netns:a")])
    ann = replace(service, caller=ANN)
    ann.set([slow("netns:b")])
    for each in (service, ann):
        assert codes(each.clear(["netns:nowhere", "netns:b"]))[0] == ((), "unknown-target")
    assert names(service) == [("netns:a", "default")]


def test_a_name_that_one_of_several_has(service: LocalService) -> None:
    """For root and for others: a name that is not in force on a target is a problem of that target."""
    for caller in (service.caller, ANN):
        asks = replace(service, caller=caller)
        asks.set([slow("netns:a", name="one")])
        assert codes(asks.clear(["netns:a", "netns:b"], "one")) == [(("one",), None), ((), "no-such-condition")]


def test_nobody_is_half_way_when_one_target_is_not_allowed(service: LocalService) -> None:
    bob = replace(service, caller=BOB)
    bob.set([slow("netns:a")])
    with pytest.raises(NetweatherError) as wrong:
        bob.clear(["netns:a", "netns:b"])
    assert wrong.value.code == "not-allowed"
    assert names(service) == [("netns:a", "default")]


def test_others_are_left_alone(service: LocalService) -> None:
    ann, bob = replace(service, caller=ANN), replace(service, caller=BOB)
    ann.set([slow("netns:a", name="anns")])
    bob.set([slow("netns:a", name="bobs")])
    assert codes(bob.clear()) == [(("bobs",), None)]
    with pytest.raises(NetweatherError) as wrong:
        bob.clear(["netns:a"], "anns")
    assert wrong.value.code == "other-owner"
    assert codes(service.clear(owner="ann")) == [(("anns",), None)]


def test_several_conditions_of_one_owner_end_in_one_step(service: LocalService, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = replace(service, caller=ANN)
    for name in ("one", "two", "three"):
        ann.set([slow("netns:a", name=name)])
    settled = []
    whole = Engine._settle
    monkeypatch.setattr(Engine, "_settle", lambda *words: settled.append(1) or whole(*words))
    assert codes(ann.clear(["netns:a"])) == [(("one", "two", "three"), None)]
    assert len(settled) == 1


def test_nothing_is_done_to_a_target_of_which_nothing_ends(service: LocalService, monkeypatch: pytest.MonkeyPatch) -> None:
    service.set([slow("netns:a")])
    monkeypatch.setattr(Engine, "_settle", lambda *_: 1 / 0)
    assert replace(service, caller=ANN).clear() == []


def test_a_reference_that_is_gone_ends_what_its_owner_began(service: LocalService, world: World) -> None:
    ann, bob = replace(service, caller=ANN), replace(service, caller=BOB)
    ann.set([slow("netns:a", name="anns")])
    bob.set([slow("netns:a", name="bobs")])
    (identity,) = service.engine.journal.identities()
    world.path("a").rename(world.folder / "old")
    assert codes(bob.clear(["netns:a"])) == [(("bobs",), None)]
    entry = service.engine.journal.read(identity)
    assert entry is None or [each.condition.name for each in entry.conditions] == ["anns"]


def test_what_was_begun_by_another_word_stays(service: LocalService, world: World) -> None:
    """One target has two names, and loses one of them."""
    (world.folder / "other").hardlink_to(world.path("a"))
    world.kernels["other"] = world.kernel("a")
    service.set([slow("netns:other", name="one")])
    service.set([slow("netns:a", name="two")])
    world.path("a").unlink()
    assert codes(service.clear(["netns:a"])) == [(("two",), None)]
    assert names(service) == [("netns:other", "one")]


def test_only_a_clear_of_everything_stops_what_is_played(service: LocalService, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[object] = []
    monkeypatch.setattr(type(service.played), "stop_all", lambda self, fits: stopped.append(fits))
    service.set([slow("netns:a"), slow("netns:b")])
    service.clear(name="default")
    service.clear(["netns:a"])
    assert stopped == []
    service.clear()
    assert len(stopped) == 1


def test_a_name_that_is_nowhere(service: LocalService) -> None:
    service.set([slow("netns:a")])
    with pytest.raises(NetweatherError) as wrong:
        service.clear(name="other")
    assert wrong.value.code == "no-such-condition"


def test_where_a_journal_cannot_be_read_root_ends_all(service: LocalService, world: World) -> None:
    service.set([slow("netns:a")])
    (identity,) = service.engine.journal.identities()
    (service.engine.journal.directory(identity) / "journal.json").write_text("{")
    assert codes(replace(service, caller=ANN).clear(["netns:b"])) == [((), None)]
    with pytest.raises(NetweatherError) as wrong:
        replace(service, caller=ANN).clear(["netns:a"])
    assert wrong.value.code == "broken-journal"
    assert codes(service.clear(["netns:a"])) == [((), None)]
    assert not world.kernel("a").in_force
