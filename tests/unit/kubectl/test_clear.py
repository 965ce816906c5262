"""`kubectl netweather clear`: what is deleted, and what is waited for."""

from __future__ import annotations

from typing import Any

import pytest

from netweather.cli.kubectl import clear
from tests.support.fakeapi import FakeApi
from tests.support.objects import condition, scenario
from tests.unit.kubectl.conftest import Run


@pytest.fixture
def conditions(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    monkeypatch.setattr(clear, "LOOKS_S", 0.001)
    for name in ("one", "two"):
        api.put("networkconditions", condition(name, targets=[{"pod": name}]))
    api.put("networkconditions", condition("far", namespace="other"))
    return api


def left(api: FakeApi) -> set[str]:
    return {name for plural, _, name in api.objects if plural == "networkconditions"}


def held(api: FakeApi, *uids: str) -> None:
    """What a node says that it has."""
    api.put("nodeconditions", {"metadata": {"name": "node-1"}, "status": {"conditions": [{"uid": uid} for uid in uids]}})


def test_those_of_a_target_of_a_name_and_all(run: Run, conditions: FakeApi) -> None:
    assert run("clear", "one").out == "shop/one: cleared\n"
    assert left(conditions) == {"two", "far"}
    assert run("clear", "--name", "two", "--json").json == {"cleared": ["shop/two"], "seen": True}
    run("clear", "--all")
    assert left(conditions) == {"far"}
    run("clear", "--all", "-A")
    assert left(conditions) == set()


def test_it_waits_for_the_nodes(run: Run, conditions: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    held(conditions, "uid-one", "uid-two")
    listing, looks = conditions.list, []

    async def listed(kind: Any, *more: Any) -> Any:
        looks.append(kind.plural)
        if looks.count("nodeconditions") == 3:
            held(conditions, "uid-two")
        return await listing(kind, *more)

    monkeypatch.setattr(conditions, "list", listed)
    done = run("clear", "one")
    assert (done.code, done.err, looks.count("nodeconditions")) == (0, "waiting: still on node-1\n", 3)


def test_nodes_that_do_not_act(run: Run, conditions: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    held(conditions, "uid-one")
    monkeypatch.setattr(clear, "PATIENCE_S", 0.01)
    assert "[not-cleared]" in run("clear", "one").err
    assert "one" not in left(conditions)


def test_who_may_not_see_the_nodes_is_told_so(run: Run, conditions: FakeApi) -> None:
    conditions.secret = {"nodeconditions"}
    done = run("clear", "one")
    assert (done.code, "may not read NodeConditions" in done.err) == (0, True)


@pytest.mark.parametrize(
    ("words", "code"), [((), "missing-target"), (("three",), "no-such-condition"), (("--name", "x"), "no-such-condition")]
)
def test_nothing_to_clear(run: Run, conditions: FakeApi, words: tuple[str, ...], code: str) -> None:
    assert f"[{code}]" in run("clear", *words).err
    assert len(left(conditions)) == 3


def test_scenarios_end_as_well(run: Run, conditions: FakeApi) -> None:
    conditions.put("networkscenarios", scenario("evening"))
    conditions.put("networkscenarios", scenario("one"))
    assert run("clear", "--name", "one", "--json").json["cleared"] == ["shop/one", "shop/one"]
    run("clear", "--all")
    assert left(conditions) == {"far"}
    assert not [name for plural, _, name in conditions.objects if plural == "networkscenarios"]
