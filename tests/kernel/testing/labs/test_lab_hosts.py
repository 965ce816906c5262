"""testing/labs/lab_hosts.py: processes and commands on a lab's hosts."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from netweather.errors import NetweatherError
from netweather.testing import Lab

WEB = ("python3", "-m", "http.server", "80")


@pytest.fixture(scope="module")
def pair() -> Iterator[Lab]:
    with Lab("client", "server") as made:
        yield made


def test_a_process_is_ready_when_started_and_logged_and_killed(pair: Lab) -> None:
    web = pair["server"].start(*WEB, ready=80, environment={"PYTHONUNBUFFERED": "1"})
    assert pair["server"].listens("tcp:80")
    assert not pair["client"].listens("tcp:80")
    page = "import urllib.request; print(urllib.request.urlopen('http://server/').status)"
    assert pair["client"].run("python3", "-c", page).stdout == "200\n"
    assert '"GET / HTTP/1.1" 200' in web.text()
    assert '"GET / HTTP/1.1" 200' in pair.logs()["server-python3"]
    assert web.stop() == -signal.SIGTERM
    assert not pair["server"].listens(80)


def test_one_that_is_bound_to_udp(pair: Lab) -> None:
    code = "import socket, time; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', 5004)); time.sleep(60)"
    pair["server"].start("python3", "-c", code, ready="udp:5004").kill()


@pytest.mark.parametrize(
    ("command", "ready", "why"),
    [
        (("python3", "-c", "print('no configuration'); raise SystemExit(3)"), 80, "it ended with 3; no configuration"),
        (("sleep", "60"), 80, "it was not ready within 0.3 s"),
        (("no-such-program",), 80, "it ended with 127; no-such-program: No such file or directory"),
    ],
    ids=["ends", "silent", "missing"],
)
def test_one_that_does_not_become_ready(pair: Lab, command: tuple[str, ...], ready: int, why: str) -> None:
    patience = 0.3 if "within" in why else 30.0
    with pytest.raises(NetweatherError) as caught:
        pair["server"].start(*command, ready=ready, patience=patience)
    assert caught.value.code == "lab-process-failed"
    assert caught.value.why == why


def test_commands_that_fail(pair: Lab) -> None:
    with pytest.raises(NetweatherError, match="sh failed on the lab's host client") as caught:
        pair["client"].run("sh", "-c", "echo broken >&2; exit 4")
    assert caught.value.why == "it ended with 4; broken"
    assert pair["client"].run("sh", "-c", "exit 4", check=False).exit == 4
    with pytest.raises(NetweatherError) as caught:
        pair["client"].run("sleep", "60", timeout=0.2)
    assert caught.value.why == "sleep did not end within 0.2 s"
    assert pair["client"].run("cat", stdin="hello").stdout == "hello"
