"""The worked examples as their READMEs print them: each shows what it promises, and fails on a network that is as it is."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.machine import SLOW
from tests.support.packages import need
from tests.support.repository import ROOT

MOST_S = 120
BROWSER = ("chromium", "chromium-driver", "fonts-dejavu-core")
pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("examples")]
"""The time-out is for a machine that must install the packages first; MOST_S is for the example."""


@dataclass(frozen=True)
class Example:
    """One of the folders. packages: what it needs; findings: how many it names; absent: that must be missing on a good network."""

    folder: str
    packages: tuple[str, ...]
    findings: int
    absent: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        """As its README prints it, from the checkout, without sudo."""
        text = (ROOT / "examples" / self.folder / "README.md").read_text()
        (line,) = re.findall(r"^    sudo (\.venv/bin/python .*)$", text, re.MULTILINE)
        return shlex.split(line)


EXAMPLES = {
    "shop": Example(
        "01-web-shop", BROWSER, 8, ("its customer clicks again", "is sold", "cut: the naive shop", "when the network is back")
    ),
    "video": Example(
        "02-video", ("ffmpeg",), 7, ("lost at random they damage more than half", "in bursts damages far fewer", "3 % late")
    ),
    "etcd": Example(
        "03-etcd", ("etcd-server",), 12, ("elections, one after the other", "leads in place of", "higher term makes")
    ),
    "zookeeper": Example("04-zookeeper", ("zookeeper",), 8, ("the session expires", "two owners", "it stops serving")),
}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs an example; its pictures go into the test's folder."""

    def start(example: Example, *more: str) -> subprocess.CompletedProcess[str]:
        if reason := need(*example.packages):
            pytest.skip(reason)
        words = [str(tmp_path / word) if word.endswith((".svg", ".html")) else word for word in example.command]
        environment = {**os.environ, "NETWEATHER_STATE": str(tmp_path / "state"), "PYTHONUNBUFFERED": "1"}
        begin = time.monotonic()
        done = subprocess.run(
            [*words, *more], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300 * SLOW, check=False
        )
        assert time.monotonic() - begin < MOST_S * SLOW, done.stdout
        assert not list((tmp_path / "state").glob("targets/*")), "no condition is left"
        return done

    return start


def found(text: str) -> list[str]:
    return re.findall(r"^ +found: (.*)$", text, re.MULTILINE)


def not_found(text: str) -> str:
    return "\n".join(re.findall(r"^ +NOT FOUND: (.*)$", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["shop", pytest.param("video", marks=pytest.mark.full)])
def test_it_shows_what_it_promises(name: str, run: Run, tmp_path: Path) -> None:
    shows(EXAMPLES[name], run, tmp_path)


@pytest.mark.full
@pytest.mark.serial
@pytest.mark.parametrize("name", ["etcd", "zookeeper"])
def test_a_long_one_shows_what_it_promises(name: str, run: Run, tmp_path: Path) -> None:
    shows(EXAMPLES[name], run, tmp_path)


def shows(example: Example, run: Run, folder: Path) -> None:
    done = run(example)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(found(done.stdout)) == example.findings, done.stdout
    for picture in (word for word in example.command if word.endswith((".svg", ".html"))):
        assert (folder / picture).stat().st_size > 5000


@pytest.mark.full
@pytest.mark.parametrize("name", EXAMPLES)
def test_on_a_good_network_it_finds_nothing_and_fails(name: str, run: Run) -> None:
    example = EXAMPLES[name]
    done = run(example, "--perfect")
    assert done.returncode == 1, done.stdout + done.stderr
    for what in example.absent:
        assert what in not_found(done.stdout), done.stdout
