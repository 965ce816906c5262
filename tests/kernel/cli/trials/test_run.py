"""cli/trials/run.py: a command in a bad network of its own. The machine is a lab's client, so that its services are this test's alone."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.cli.machine import Machine, machine
from tests.support.machine import SLOW
from tests.support.rig import until

pytestmark = pytest.mark.timeout(420)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path) as made:
        yield made


def test_a_command_reaches_the_machine_through_its_bad_network(host: Machine) -> None:
    port = host.serve()
    for words, least, most in (
        (["--delay", "500ms"], 1000, 9000),
        (["--delay", "0"], 0, 1000),
        (["--delay", "2s", "--port", "1"], 0, 2000),
    ):
        done = host.run("run", *words, "--", sys.executable, "-c", TIMED, "host.netweather", str(port))
        assert done.returncode == 0, done.stderr
        assert least <= float(done.stdout) < most, words


def test_localhost(host: Machine) -> None:
    port = host.serve()
    done = host.run(
        "run", "--delay", "150ms", "--localhost", "--verbose", "--", sys.executable, "-c", TIMED, "localhost", str(port)
    )
    assert float(done.stdout) >= 300
    assert "matched " in done.stderr


def test_what_else_is_reached_is_named(host: Machine) -> None:
    """The lab's server, which the machine reaches."""
    there, port = str(host.net.server.v4), str(host.serve(str(host.net.server.v4), host.net.server.name))
    words = ["run", "--delay", "500ms", "--reach", f"{there}:{port}", "--", sys.executable, "-c", TIMED, there, port]
    assert float(host.run(*words).stdout) >= 1000
    del words[3:5]
    assert "unreachable" in host.run(*words).stderr


def test_the_exit_code_and_the_terminal_are_the_commands(host: Machine) -> None:
    done = host.run("run", "--loss", "1%", "--", "sh", "-c", "cat; echo $NETWEATHER_NETWORK >&2; exit 7", stdin="hello")
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello", "loss 1%\n")
    assert host.run("run", "--loss", "1%", "--", "sh", "-c", "kill -KILL $$").returncode == 137


@pytest.mark.parametrize(
    ("words", "code", "name"),
    [
        (["--", "true"], 2, "no-condition"),
        (["--delay", "1s"], 2, "no-command"),
        (["--delay", "1s", "--reach", "x", "--", "true"], 2, "bad-reach"),
        (["--delay", "1s", "--", "netweather-no-such"], 1, "command-not-found"),
    ],
)
def test_what_is_wrong_is_told(host: Machine, words: list[str], code: int, name: str) -> None:
    done = host.run("run", *words)
    assert (done.returncode, f"[{name}]" in done.stderr) == (code, True), done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_is_the_commands_and_a_kill_leaves_nothing(host: Machine, number: signal.Signals) -> None:
    script = "trap 'exit 9' TERM; echo $$; while :; do sleep 0.05; done"
    running = host.start("run", "--delay", "50ms", "--", "bash", "-c", script)
    assert running.stdout
    pid = int(running.stdout.readline())
    running.send_signal(number)
    running.communicate(timeout=20 * SLOW)
    assert running.returncode == (9 if number is signal.SIGTERM else -9)
    until(lambda: not os.path.exists(f"/proc/{pid}"), 20, "the command is dead")
    if number is signal.SIGKILL:  # its keeper ends the condition when its lease is over; a later command does too
        host.run("recover")
    assert host.targets() == []


def test_a_signal_before_the_command_runs_undoes_all(host: Machine, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for _ in range(5):  # where we are late it runs
        running = host.start("run", "--delay", "50ms", "--", "touch", str(ran))
        until(lambda each=running.pid: heeds(each, signal.SIGTERM), 20, "it hears signals")
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=20 * SLOW)
        if not ran.exists():
            break
        ran.unlink()
    assert running.returncode == 143
    assert host.targets() == []


def heeds(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


TIMED = """
import socket, sys, time
begin = time.monotonic()
socket.create_connection((sys.argv[1], int(sys.argv[2])), 10).recv(1)
print((time.monotonic() - begin) * 1000)
"""
