from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.targets.runtimes._dockerapi import DockerApi
from tests.unit.targets.fake_docker import Engine

Refused = Callable[[Callable[[], object]], NetweatherError]


@pytest.fixture
def api(engine: Engine) -> DockerApi:
    return DockerApi.from_environment()


def test_docker_host_says_where() -> None:
    assert DockerApi.from_environment({}).path == "/var/run/docker.sock"
    assert DockerApi.from_environment({"DOCKER_HOST": ""}).path == "/var/run/docker.sock"
    assert DockerApi.from_environment({"DOCKER_HOST": "unix:///run/user/1000/docker.sock"}).path == "/run/user/1000/docker.sock"


@pytest.mark.parametrize("host", ["tcp://192.0.2.1:2375", "ssh://me@example.org", "unix://relative", "/run/docker.sock"])
def test_other_engines_are_refused(host: str, refused: Refused) -> None:
    error = refused(lambda: DockerApi.from_environment({"DOCKER_HOST": host}))
    assert error.code == "docker-host-unsupported"
    assert host in error.what


def test_a_container_is_read_from_inspect(engine: Engine, api: DockerApi) -> None:
    engine.add("shop-api", labels={"tier": "web"}, addresses=("192.0.2.2", "2001:db8::2"), id="ab" * 32)
    found = api.inspect("shop-api")
    assert found is not None
    assert (found.id, found.name, found.image, found.state, found.pid) == ("ab" * 32, "shop-api", "app:1", "running", os.getpid())
    assert found.addresses == (ip_address("192.0.2.2"), ip_address("2001:db8::2"))
    assert (found.labels, found.compose, found.network_mode) == ({"tier": "web"}, "", "front")
    assert api.inspect("abab") == api.inspect("ab" * 32) == found


def test_no_container_and_several_of_a_prefix_are_none(engine: Engine, api: DockerApi) -> None:
    engine.add("one", id="ab" * 32)
    engine.add("two", id="ac" * 32)
    assert api.inspect("nobody") is None
    assert api.inspect("a") is None
    assert api.inspect("a/b?c") is None
    assert engine.requests[-1] == "/containers/a%2Fb%3Fc/json"


def test_lists_are_sorted_filtered_and_take_the_containers_own_name(engine: Engine, api: DockerApi) -> None:
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
    engine.add("b", labels=labels, addresses=("192.0.2.2", ""))
    engine.add("a", "exited")
    assert [each.name for each in api.containers()] == ["b"]
    assert [each.name for each in api.containers(every=True)] == ["a", "b"]
    (found,) = api.containers(every=True, labels=["com.docker.compose.service=web"])
    assert (found.compose, found.addresses, found.pid) == ("shop/web", (ip_address("192.0.2.2"),), 0)
    assert api.containers(labels=["com.docker.compose.service=db"]) == []


def test_no_socket_says_how_to_start_docker(tmp_path: Path, refused: Refused) -> None:
    error = refused(DockerApi(f"{tmp_path}/d.sock").containers)
    assert (error.code, error.why) == ("docker-unreachable", "the socket does not exist")
    assert "systemctl start docker" in error.remedy
    assert "DOCKER_HOST" in error.remedy


def test_a_socket_without_a_listener(tmp_path: Path, refused: Refused) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{tmp_path}/d.sock")
    error = refused(DockerApi(f"{tmp_path}/d.sock").containers)
    assert (error.code, error.why) == ("docker-unreachable", "no process listens on it")


def test_a_socket_that_may_not_be_opened(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("netweather.targets._sockets.unix_stream", deny)
    error = refused(DockerApi("/var/run/docker.sock").containers)
    assert "group docker" in error.remedy
    assert "sudo" in error.remedy


def test_an_engine_that_does_not_answer_is_given_up(tmp_path: Path, refused: Refused) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(f"{tmp_path}/d.sock")
        mute.listen()
        error = refused(DockerApi(f"{tmp_path}/d.sock", timeout=0.05).containers)
    assert (error.code, error.why) == ("docker-unreachable", "timed out")


def test_an_engine_that_hangs_up(tmp_path: Path, refused: Refused) -> None:
    with socket.socket(socket.AF_UNIX) as rude:
        rude.bind(f"{tmp_path}/d.sock")
        rude.listen()
        thread = threading.Thread(target=lambda: rude.accept()[0].close())
        thread.start()
        error = refused(DockerApi(f"{tmp_path}/d.sock").containers)
        thread.join()
    assert error.code == "docker-unreachable"
    assert error.why


def test_a_path_too_long_for_a_socket(refused: Refused) -> None:
    assert refused(DockerApi("/" + "x" * 200).containers).code == "docker-unreachable"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((500, b'{"message": "out of order"}'), "out of order"),
        ((404, b'{"message": "page not found"}'), "page not found"),
        ((400, b"[]"), "answered 400"),
        ((200, b"<html>"), "does not answer as Docker does"),
        ((200, b"{}"), "does not answer as Docker does"),
        ((200, b'[{"Id": 1}]'), "does not answer as Docker does"),
        ((200, b"[[]]"), "does not answer as Docker does"),
    ],
)
def test_strange_answers_are_errors(
    answer: tuple[int, bytes], says: str, engine: Engine, api: DockerApi, refused: Refused
) -> None:
    engine.answer = answer
    error = refused(api.containers)
    assert error.code == "docker-failed"
    assert says in str(error)


def test_a_strange_container_is_an_error(engine: Engine, api: DockerApi, refused: Refused) -> None:
    engine.answer = (200, b'{"Id": "x"}')
    assert refused(lambda: api.inspect("x")).code == "docker-failed"


def test_events_are_ids_until_the_engine_hangs_up(engine: Engine, api: DockerApi) -> None:
    shop = engine.add("shop")
    events = api.events()
    found = iter(events)
    assert next(found) == ""
    engine.happens("die", "shop")
    assert next(found) == shop["Id"]
    engine.hang_up()
    with pytest.raises(NetweatherError) as caught:
        next(found)
    assert caught.value.code == "docker-unreachable"


def test_events_end_when_they_are_closed_whoever_waits(engine: Engine, api: DockerApi) -> None:
    events = api.events()
    found = iter(events)
    assert next(found) == ""
    closing = threading.Timer(0.05, events.close)
    closing.start()
    assert list(found) == []
    closing.join()
    unheard = api.events()
    unheard.close()
    assert list(unheard) == []


@pytest.mark.parametrize("line", [b"{\n", b"[]\n", b'{"Actor": 1}\n', b"\n"])
def test_events_that_are_none_are_a_failure_to_try_again(line: bytes, engine: Engine, api: DockerApi) -> None:
    engine.events.put(line)
    with pytest.raises(NetweatherError):
        list(api.events())
