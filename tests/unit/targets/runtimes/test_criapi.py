from __future__ import annotations

import grpc
import pytest

from netweather.errors import NetweatherError
from netweather.targets.runtimes import _criapi
from netweather.targets.runtimes._criapi import CriApi
from tests.unit.targets.fake_cri import Runtime


def test_the_environment_names_the_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    assert _criapi.socket_path({"CONTAINER_RUNTIME_ENDPOINT": "unix:///run/x.sock"}) == "/run/x.sock"
    assert _criapi.socket_path({"CONTAINER_RUNTIME_ENDPOINT": "/run/x.sock"}) == "/run/x.sock"
    with pytest.raises(NetweatherError) as caught:
        _criapi.socket_path({"CONTAINER_RUNTIME_ENDPOINT": "tcp://192.0.2.1:9"})
    assert caught.value.code == "cri-unreachable"
    monkeypatch.setattr(_criapi, "SOCKETS", ("/nonexistent/a", "/", "/tmp"))
    assert _criapi.socket_path({}) == "/"


def test_nothing_that_listens_is_told_so() -> None:
    with pytest.raises(NetweatherError) as caught:
        CriApi("/nonexistent/cri.sock").sandboxes()
    assert caught.value.code == "cri-unreachable"
    assert "/nonexistent/cri.sock" in caught.value.what


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (grpc.StatusCode.UNIMPLEMENTED, "cri-unsupported"),
        (grpc.StatusCode.UNAVAILABLE, "cri-unreachable"),
        (grpc.StatusCode.INTERNAL, "cri-failed"),
        (grpc.StatusCode.NOT_FOUND, "cri-failed"),
    ],
)
def test_a_failure_keeps_the_runtimes_words(cri: Runtime, status: grpc.StatusCode, code: str) -> None:
    cri.code = status
    with pytest.raises(NetweatherError) as caught:
        CriApi.from_environment().sandboxes()
    assert (caught.value.code, caught.value.why) == (code, "as the test wants")


def test_a_sandbox_that_is_gone_is_none(cri: Runtime) -> None:
    assert CriApi.from_environment().inspect("ab") is None


@pytest.mark.parametrize("info", ["", "{", "[]", "null", '{"pid": "x"}', '{"runtimeSpec": {"linux": {"namespaces": [1]}}}'])
def test_what_a_runtime_tells_beyond_the_interface_may_be_anything(info: str) -> None:
    assert _criapi._verbose(info) == (0, "")


def test_events_come_one_by_one_until_closed(cri: Runtime) -> None:
    api = CriApi.from_environment()
    stream = api.events()
    cri.events.put(cri.made["ContainerEventResponse"](container_id="ab"))
    found = iter(stream)
    assert next(found).container_id == "ab"
    stream.close()
    assert list(found) == []
