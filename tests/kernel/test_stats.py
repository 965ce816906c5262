"""`netweather stats` as a user runs it, on real namespaces."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machine import SLOW
from tests.support.netns import Lab, lab
from tests.support.repository import ROOT

PROGRAM = [sys.executable, "-c", "import sys; from netweather.cli import main; sys.exit(main())"]
SENDER = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); [s.sendto(b'x' * 100, ('192.0.2.2', 9)) for _ in range(20)]"


@pytest.fixture(scope="module")
def net() -> Iterator[Lab]:
    with lab() as made:
        yield made


def start(*words: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NETWEATHER_")} | {"COLUMNS": "100"}
    pipe = subprocess.PIPE
    return subprocess.Popen([*PROGRAM, "stats", *words], env=environment, stdout=pipe, stderr=pipe, text=True)


def until_counting(process: subprocess.Popen[str]) -> None:
    """Until its first line: from then on everything is counted."""
    assert process.stdout is not None
    assert process.stdout.readline()


def test_the_sum_as_a_table_after_ctrl_c(net: Lab, tmp_path: Path) -> None:
    words = ("--only", "sendto,tcp", "--by-process", "--plot", str(tmp_path / "out.svg"))
    with start(f"netns:{net.client.name}", *words) as process:
        until_counting(process)
        net.client.run(sys.executable, "-c", SENDER)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30 * SLOW)
    assert (process.returncode, err) == (0, "")
    whole = out[out.rindex(f"netns:{net.client.name}, ") :].splitlines()
    assert whole[2].split()[:2] == ["sendto", "20"]
    assert any(line.startswith("connections: 0 opened") for line in whole)
    assert any(line.split()[1:3] == ["sendto", "20"] for line in whole if line.startswith(("python", "(ended)")))
    assert "how long a call takes" in (tmp_path / "out.svg").read_text()


def test_a_line_of_json_for_each_second(net: Lab) -> None:
    with start(f"netns:{net.client.name}", "--only", "send", "--json") as process:
        until_counting(process)
        net.client.run(sys.executable, "-c", SENDER)
        assert process.stdout is not None
        sent = 0
        while sent < 20:
            sent += json.loads(process.stdout.readline())["calls"].get("sendto", {"calls": 0})["calls"]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30 * SLOW)
    assert (sent, process.returncode, err) == (20, 0, "")


def test_the_sum_as_json_after_the_time(net: Lab) -> None:
    with start(f"netns:{net.client.name}", "--only", "connect,tcp", "--for", "1s", "--json") as process:
        out, err = process.communicate(timeout=30 * SLOW)
    assert (process.returncode, err) == (0, "")
    made = json.loads(out)
    assert made["target"] == f"netns:{net.client.name}"
    assert made["seconds"] > 0.9
    assert made["tcp"]["opened"] == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [(("--only", "sned"), "unknown-call"), (("--for", "soon"), "bad-duration"), (("--plot", "a.gif"), "bad-plot")],
    ids=["only", "for", "plot"],
)
def test_what_is_wrong_is_told_before_anything_is_done(words: tuple[str, str], code: str) -> None:
    with start("netns:nwt-none", *words) as process:
        _, err = process.communicate(timeout=30 * SLOW)
    assert process.returncode == 2
    assert f"[{code}]" in err


def test_what_the_page_prints_runs_as_printed(net: Lab, tmp_path: Path) -> None:
    """All of it at once, on a namespace in place of the page's."""
    page = (ROOT / "docs" / "stats.md").read_text()
    lines = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0].strip().splitlines()
    assert len(lines) == 4
    environment = {**os.environ, "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"}
    started = [
        subprocess.Popen(
            ["sh", "-euc", line.replace("netns:shop", f"netns:{net.client.name}")],
            cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for line in lines
    ]  # fmt: skip
    try:
        ended = [(process.communicate(timeout=50 * SLOW), process.returncode) for process in started]
    finally:
        for process in started:
            process.kill()
    assert [(err, code) for (_, err), code in ended] == [("", 0)] * 4
    assert (tmp_path / "stats.svg").exists()
    assert json.loads(ended[3][0][0])["missing"] == []
