"""`netweather stats` through a real agent: the same as without it, and nothing stays attached."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.kernel.agent.conftest import PROGRAM, RealAgent
from tests.support.machine import SLOW
from tests.support.netns import Lab

TRACEPOINT, TRACING = 5, 26
SENDER = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); [s.sendto(b'x' * 100, ('192.0.2.2', 9)) for _ in range(20)]"


def start(agent: RealAgent, *words: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([*PROGRAM, "stats", *words], env=agent.environment, stdout=pipe, stderr=pipe, text=True)


def attached(agent: RealAgent) -> int:
    """How many BPF programs of tracepoints an agent holds."""
    assert agent.process
    found = 0
    for each in Path(f"/proc/{agent.process.pid}/fdinfo").iterdir():
        with suppress(OSError):  # it was just closed
            found += any(f"prog_type:\t{kind}\n" in each.read_text() for kind in (TRACEPOINT, TRACING))
    return found


def test_the_same_by_the_agent_and_without_it(agent: RealAgent, net: Lab) -> None:
    words = (f"netns:{net.client.name}", "--only", "sendto,tcp", "--by-process", "--json")
    begun = [start(agent, *words), start(agent, *words, "--direct")]
    sums = [dict[str, int](), dict[str, int]()]
    for process in begun:
        assert process.stdout
        process.stdout.readline()  # from now on everything is counted
    assert attached(agent) > 2
    net.client.run(sys.executable, "-c", SENDER)
    for process, found in zip(begun, sums, strict=True):
        assert process.stdout
        while found.get("calls", 0) < 20:
            line = json.loads(process.stdout.readline())
            for each in line.get("processes", []):
                assert each["name"].startswith("python") or each["name"] == ""  # it may have ended before it was looked at
            for key in ("calls", "bytes"):
                found[key] = found.get(key, 0) + line["calls"].get("sendto", {key: 0})[key]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30 * SLOW)
        assert (process.returncode, err, out) == (0, "", "")
    assert sums == [{"calls": 20, "bytes": 2000}] * 2
    assert attached(agent) == 0


def test_the_sum_as_a_table_and_a_picture(agent: RealAgent, net: Lab, tmp_path: Path) -> None:
    picture = tmp_path / "out.svg"
    with start(agent, f"netns:{net.client.name}", "--only", "send,tcp", "--plot", str(picture)) as process:
        assert process.stdout
        process.stdout.readline()
        net.client.run(sys.executable, "-c", SENDER)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30 * SLOW)
    assert (process.returncode, err) == (0, "")
    whole = out[out.rindex(f"netns:{net.client.name}, ") :].splitlines()
    assert whole[2].split()[:3] == ["sendto", "20", whole[2].split()[2]]
    assert any(line.startswith("connections: 0 opened") for line in whole)
    assert "how long a call takes" in picture.read_text()


@pytest.mark.parametrize(
    ("words", "code"), [(("netns:nwt-none",), "unknown-target"), (("netns:x", "--only", "a"), "unknown-call")]
)
def test_errors_are_the_same(agent: RealAgent, words: tuple[str, ...], code: str) -> None:
    with start(agent, *words) as process:
        _, err = process.communicate(timeout=30 * SLOW)
    assert f"[{code}]" in err
