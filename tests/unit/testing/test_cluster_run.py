"""testing/cluster_run.py: a file's NetworkTest, in a cluster that answers as an operator would; a real one in tests/e2e/kubernetes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from netweather.errors import NetweatherError, UsageError
from netweather.reports.job_results import kept
from netweather.reports.outcomes import Trial
from netweather.testing import cluster_run
from netweather.testing.cluster_run import Interrupted, load_test, run
from tests.support.fakeapi import FakeApi, _no
from tests.support.objects import network_test

Object = dict[str, Any]
KEY = ("networktests", "shop", "checkout")


class Operated(FakeApi):
    """An API server that does one thing after each look at the test."""

    def __init__(self, *acts: Callable[[Operated], None]) -> None:
        super().__init__()
        self.namespace = "shop"
        self.acts = list(acts)

    async def read(self, kind: Any, name: str, namespace: str = "") -> Object | None:
        if kind.plural == "networktests" and self.acts:
            self.acts.pop(0)(self)
        return await super().read(kind, name, namespace)

    async def close(self) -> None:
        """Nothing is open."""

    def tell(self, complete: str = "", **states: str) -> None:
        cells = [{"network": network, "state": state} for network, state in states.items()]
        conditions = [{"type": "Complete", "status": str(bool(complete)), "reason": complete, "message": "why"}]
        self.put("networktests", {**self.objects[KEY], "status": {"cells": cells, "conditions": conditions}})


def document() -> Object:
    found = network_test()
    return {**found, "metadata": {"name": "checkout"}}


def followed(monkeypatch: pytest.MonkeyPatch, api: Operated, *, keep: bool = False) -> tuple[Any, list[str]]:
    monkeypatch.setattr(cluster_run, "LOOKS_S", 0.001)
    told: list[str] = []

    async def connect() -> Operated:
        return api

    monkeypatch.setattr(cluster_run.Api, "connect", connect)
    return run(document(), lambda cell: told.append(f"{cell['network']} {cell['state']}"), keep=keep), told


def ends(api: Operated) -> None:
    test = cluster_run.read_test(network_test())
    facts = {"startedAt": "", "endedAt": "", "condition": "", "leaseEnds": "2026-01-01T00:01:00Z"}
    data = kept(test, "perfect", Trial(0, 1.0, ""), facts) | kept(test, "slow", Trial(1, 3.0, "no"), facts)
    api.put("configmaps", {"metadata": {"name": "checkout-report", "namespace": "shop"}, "data": data})
    api.tell("Shortcomings", perfect="Passed", slow="Failed")


@pytest.mark.parametrize("keep", [False, True])
def test_its_states_are_told_as_they_change_and_its_results_are_the_matrix(monkeypatch: pytest.MonkeyPatch, keep: bool) -> None:
    def begins(api: Operated) -> None:
        api.tell(perfect="Running", slow="Pending")

    api = Operated(lambda api: None, begins, begins, ends)
    (test, matrix), told = followed(monkeypatch, api, keep=keep)
    assert told == ["perfect Running", "slow Pending", "perfect Passed", "slow Failed"]
    assert [(cell.network, cell.outcome) for cell in matrix.cells] == [("perfect", "passed"), ("slow", "failed")]
    assert test.name == "checkout"
    assert (KEY in api.objects) is keep


def test_a_server_that_is_away_for_a_while_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def leaves(api: Operated) -> None:
        api.away = True

    api = Operated(leaves, lambda api: setattr(api, "away", False), ends)
    (_, matrix), _ = followed(monkeypatch, api)
    assert len(matrix.cells) == 2


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda api: api.tell("Refused"), "test-refused"),
        (lambda api: api.remove(*("networktests", "checkout", "shop")), "test-refused"),
    ],
    ids=["refused", "deleted"],
)
def test_what_ends_without_a_report_says_why(monkeypatch: pytest.MonkeyPatch, act: Callable[[Operated], None], code: str) -> None:
    api = Operated(act, act)
    with pytest.raises(NetweatherError) as caught:
        followed(monkeypatch, api)
    assert caught.value.code == code
    assert KEY not in api.objects


def test_one_that_is_there_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Operated()
    api.put("networktests", network_test())
    with pytest.raises(NetweatherError, match="has a NetworkTest checkout already"):
        followed(monkeypatch, api)
    assert KEY in api.objects


def test_without_an_operator_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_run, "ANSWERS_S", 0.05)
    api = Operated()
    with pytest.raises(NetweatherError, match="no operator runs NetworkTests"):
        followed(monkeypatch, api)
    assert KEY not in api.objects

    async def unknown(kind: Any, found: Object, namespace: str = "") -> Object:
        raise _no(404)

    api.create = unknown  # type: ignore[method-assign]  # a cluster without our kinds
    with pytest.raises(NetweatherError, match="no operator runs NetworkTests"):
        followed(monkeypatch, api)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("early", [False, True], ids=["while-it-runs", "while-it-is-made"])
def test_who_is_stopped_takes_it_away(monkeypatch: pytest.MonkeyPatch, number: signal.Signals, early: bool) -> None:
    api = Operated(lambda api: None if early else os.kill(os.getpid(), number))
    create = api.create

    async def slowly(kind: Any, found: Object, namespace: str = "") -> Object:
        os.kill(os.getpid(), number)
        await asyncio.sleep(0.02)
        return await create(kind, found, namespace)

    if early:
        api.create = slowly  # type: ignore[method-assign]  # it is stopped while the server makes it
    with pytest.raises(Interrupted) as caught:
        followed(monkeypatch, api)
    assert caught.value.number == number
    assert (KEY in api.objects, api.writes) == (False, 2)


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump(document()))
    assert load_test(file)["metadata"] == {"name": "checkout"}
    file.write_text(yaml.safe_dump({**document(), "metadata": {"generateName": "checkout-"}}))
    assert load_test(file)["kind"] == "NetworkTest"
    for text, code in (
        ("", "bad-network-test"),
        (yaml.safe_dump_all([document(), document()]), "bad-network-test"),
        ("{", "bad-yaml"),
        (yaml.safe_dump({**document(), "spec": {**document()["spec"], "networks": []}}), "no-networks"),
    ):
        file.write_text(text)
        with pytest.raises(UsageError) as caught:
            load_test(file)
        assert caught.value.code == code
    with pytest.raises(UsageError, match="can't be read"):
        load_test(tmp_path / "none.yaml")
