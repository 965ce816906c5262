"""`kubectl netweather show`."""

from __future__ import annotations

import re

import pytest

from tests.support.fakeapi import FakeApi
from tests.support.objects import condition, scenario
from tests.unit.kubectl.conftest import IN_FORCE, REFUSED, Run, answer


def test_nothing(run: Run, api: FakeApi) -> None:
    assert run("show").out == "no NetworkConditions and no NetworkScenarios\n"


def test_conditions_in_words(run: Run, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.put("networkconditions", condition("slow", targets=[{"workload": "deployment/shop"}]))
    api.put("networkconditions", condition("other", lease="untilDeleted", rules=[{"condition": {"dealy": {}}}]))
    answer(api, "slow", IN_FORCE, endsAt="2026-01-01T00:10:00Z")
    answer(api, "other", REFUSED, summary="0/0")
    monkeypatch.setenv("COLUMNS", "240")  # nothing is wrapped
    title, other, slow = sorted(run("show").out.splitlines())
    assert title.split() == ["NAME", "TARGETS", "PODS", "IN", "FORCE", "ENDS", "WHAT"]
    assert slow.split()[:5] == ["slow", "deployment/shop", "2/2", "yes", "2026-01-01T00:10:00Z"]
    assert "delay 100ms: all traffic, both ways" in run("show", "deployment/shop").out
    assert "no: TooManyPods" in other
    assert "when deleted" in other
    assert "not understood" in run("show", "--name", "other").out


def test_of_one_target_of_all_namespaces_and_as_json(run: Run, api: FakeApi) -> None:
    api.put("networkconditions", condition("slow", targets=[{"pod": "a", "count": 1}]))
    api.put("networkconditions", condition("far", namespace="other"))
    assert [each["metadata"]["name"] for each in run("show", "--json").json] == ["slow"]
    assert [each["metadata"]["name"] for each in run("show", "a", "--json").json] == ["slow"]
    assert run("show", "b", "--json").json == []
    assert "other/far" in run("show", "-A").out
    assert "no: NotSeenYet" in run("show").out


def test_a_scenario_is_told_with_its_step(run: Run, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    status = {"observedGeneration": 1, "summary": "2/2", "round": 2, "step": "slow, lossy", "conditions": list(IN_FORCE)}
    api.put("networkscenarios", scenario("evening", status=status))
    api.put("networkscenarios", scenario("new", targets=[{"pod": "a"}]))
    (evening,) = (line for line in run("show").out.splitlines() if line.startswith("evening"))
    assert re.search(r" 2/2 +yes .*round 2: slow, lossy", evening)
    (new,) = run("show", "a").out.splitlines()[1:]
    assert new.split()[:2] == ["new", "pod/a"]
    assert new.rstrip().endswith("a scenario")
