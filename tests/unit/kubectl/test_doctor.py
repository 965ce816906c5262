"""`kubectl netweather doctor`: what is installed, and what one may do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.fakeapi import FakeApi
from tests.unit.kubectl.conftest import Run


def workload(name: str, image: str = "netweather:1", **more: Any) -> dict[str, Any]:
    spec = {"replicas": 1, "template": {"spec": {"containers": [{"image": image}]}}}
    return {"metadata": {"name": name, "namespace": "netweather"}, "spec": spec, **more}


@pytest.fixture
def installed(api: FakeApi) -> FakeApi:
    api.put("deployments", workload("operator", status={"readyReplicas": 1}))
    api.put("daemonsets", workload("agent", status={"numberReady": 3, "desiredNumberScheduled": 3}))
    return api


def answers(run: Run, *words: str) -> dict[str, str]:
    return {each["what"]: each["answer"] for each in run("doctor", "--json", *words).json}


def test_all_is_well(run: Run, installed: FakeApi) -> None:
    done = run("doctor")
    assert (done.code, done.out.count("yes "), "ready on 3 of 3 nodes" in done.out) == (0, 10, True)


def test_nothing_is_installed(run: Run, api: FakeApi) -> None:
    api.groups = {}
    done = run("doctor")
    assert (done.code, done.out.count("remedy: kubectl apply -k")) == (1, 3)


def test_another_version_of_the_kinds(run: Run, installed: FakeApi) -> None:
    installed.groups = {"netweather.dev": ("v1",)}
    assert answers(run)["kinds"] == "no"


def test_parts_that_are_not_ready_and_of_two_versions(run: Run, installed: FakeApi) -> None:
    installed.put("deployments", workload("operator", "netweather:2"))
    installed.put("daemonsets", workload("agent", status={"numberReady": 2, "desiredNumberScheduled": 3}))
    found = answers(run)
    assert [found[name] for name in ("operator", "agents", "one version")] == ["no", "no", "no"]


def test_rights_that_are_missing_and_what_may_not_be_looked_at(run: Run, installed: FakeApi) -> None:
    installed.denied = {("create", "networkconditions"), ("list", "pods")}
    installed.secret = {"deployments", "daemonsets"}
    found = answers(run)
    assert [found["operator"], found["agents"]] == ["can't tell", "can't tell"]
    assert [name for name, answer in found.items() if answer == "no"] == ["you may create networkconditions", "you may list pods"]
    installed.denied = {("list", "pods")}
    assert run("doctor").code == 0, "who may make conditions needs no more"
