"""host/user_command.py: a command is started, waited for, ended with what it started, and dies with us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.host.user_command import start
from netweather.kernel.waiting import until


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def test_exit_codes_are_those_of_a_shell() -> None:
    with tempfile.TemporaryFile() as output:
        for words, code in ((["true"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -TERM $$"], 143)):
            assert start(words, os.environ, output.fileno()).wait(10) == code


def test_one_that_is_not_there() -> None:
    for name in ("netweather-no-such-command", "/etc/hostname", "/etc/hostname/x"):
        with pytest.raises(NetweatherError, match="can't be run") as raised:
            start([name], os.environ)
        assert raised.value.code == "command-not-found"


def test_what_it_prints_and_what_it_sees() -> None:
    with tempfile.TemporaryFile() as output:
        started = start(["sh", "-c", "echo $SEEN; echo err >&2; cat"], {**os.environ, "SEEN": "this"}, output.fileno())
        assert started.wait(10) == 0
        output.seek(0)
        assert output.read() == b"this\nerr\n"


def test_patience_has_an_end_and_a_session_ends_as_a_whole(tmp_path: Path) -> None:
    with tempfile.TemporaryFile() as output:
        script = f"sleep 60 & echo $! > {tmp_path}/child; wait"
        started = start(["sh", "-c", script], os.environ, output.fileno())
        assert until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text() != "", 10)
        assert started.wait(0.01) is None
        started.end()
        assert until(lambda: gone(int((tmp_path / "child").read_text())), 10)
        started.end()


def test_it_dies_with_us() -> None:
    program = (
        "import os, sys; from netweather.host.user_command import start\n"
        "started = start(['sleep', '60'], os.environ); print(started.pid, flush=True); started.wait()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert not gone(child)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert until(lambda: gone(child), 10)
