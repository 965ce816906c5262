"""What the operator and the agents ask an API server for, asked of a real one: versions, watches, patches, and its ways to say no."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from netweather.errors import NetweatherError
from netweather.kubernetes.server.api import NODES, PODS, SLICES, Api, Kind, Stale
from netweather.kubernetes.server.informer import Informer
from tests.cluster.node import Cluster
from tests.support.fakeapi import soon

pytestmark = pytest.mark.timeout(300)
NAME = "nwt-of-the-tests"  # no node has this name, so no agent looks at it


@pytest.fixture
def asked(kubernetes: Cluster, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Api], Any]], Any]:
    """Runs what asks the server; there is no object of ours before and after."""
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))

    def run(scenario: Callable[[Api], Any]) -> Any:
        async def whole() -> Any:
            api = await Api.connect()
            await api.delete(NODES, NAME)
            try:
                return await scenario(api)
            finally:
                await api.delete(NODES, NAME)
                await api.close()

        return asyncio.run(asyncio.wait_for(whole(), 60))

    return run


def document(*names: str) -> dict[str, Any]:
    spec = {"conditions": [{"name": name, "uid": name, "generation": 1, "pods": [], "spec": {}, "endsAt": ""} for name in names]}
    return {"apiVersion": "netweather.dev/v1alpha1", "kind": "NodeConditions", "metadata": {"name": NAME}, "spec": spec}


def code(error: pytest.ExceptionInfo[NetweatherError]) -> str:
    return error.value.code


def test_objects_are_made_changed_and_deleted(asked: Callable[..., Any]) -> None:
    async def scenario(api: Api) -> None:
        made = await api.create(NODES, document("one"))
        with pytest.raises(NetweatherError) as twice:
            await api.create(NODES, document("one"))
        assert code(twice) == "cluster-refused"
        changed = await api.merge(NODES, NAME, {"spec": document("two")["spec"]})
        assert [each["name"] for each in changed["spec"]["conditions"]] == ["two"]
        assert changed["metadata"]["generation"] == 2
        told = await api.merge(NODES, NAME, {"status": {"observedGeneration": 2}}, part="status")
        assert (told["status"], told["spec"]) == ({"observedGeneration": 2}, changed["spec"])
        with pytest.raises(NetweatherError) as stale:
            await api.replace(NODES, made)
        assert code(stale) == "cluster-refused"
        assert await api.read(NODES, NAME) == told
        await api.delete(NODES, NAME)
        assert await api.read(NODES, NAME) is None
        assert api.writes == 7

    asked(scenario)


def test_versions_are_asked_for(asked: Callable[..., Any], kubernetes: Cluster) -> None:
    async def scenario(api: Api) -> list[str]:
        found, _ = await api.list(SLICES)
        return [each["metadata"]["name"] for each in found]

    assert "kubernetes" in asked(scenario)


def test_long_lists_come_in_pages(asked: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netweather.kubernetes.server.api.PAGE", 1)

    async def scenario(api: Api) -> None:
        found, _ = await api.list(PODS)
        names = [each["metadata"]["name"] for each in found]
        assert len(names) == len(set(names)) >= 2

    asked(scenario)


def test_a_follower_of_one_name_sees_it_come_change_and_go(asked: Callable[..., Any]) -> None:
    async def scenario(api: Api) -> None:
        one = Informer(NODES, lambda found: len(found["spec"]["conditions"]), lambda: None, NAME)
        task = asyncio.create_task(one.run(api))
        await asyncio.wait_for(one.listed.wait(), 10)
        await api.create(NODES, document("one"))
        await soon(lambda: one.objects == {("", NAME): 1})
        await api.merge(NODES, NAME, {"spec": document("one", "two")["spec"]})
        await soon(lambda: one.objects == {("", NAME): 2})
        await api.delete(NODES, NAME)
        await soon(lambda: one.objects == {})
        task.cancel()

    asked(scenario)


def test_a_watch_from_a_version_that_is_gone_is_stale(asked: Callable[..., Any]) -> None:
    async def scenario(api: Api) -> None:
        with pytest.raises(Stale):
            async for _ in api.watch(NODES, "1"):
                pass  # the server remembers no further back than the making of the kind

    asked(scenario)


def test_a_kind_that_is_none_is_refused_and_a_server_that_is_away_is_unreachable(
    asked: Callable[..., Any], tmp_path: Path, kubernetes: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(api: Api) -> None:
        with pytest.raises(NetweatherError) as error:
            await api.list(Kind("gravities", "netweather.dev", "v1alpha1"))
        assert code(error) == "cluster-refused"

    asked(unknown)
    plain = yaml.safe_load(kubernetes.kubeconfig.read_text())
    plain["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    (tmp_path / "config").write_text(yaml.safe_dump(plain))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with pytest.raises(NetweatherError) as error:
        asyncio.run(Api.connect())
    assert code(error) == "cluster-unreachable"
