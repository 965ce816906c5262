"""`scenario`: the timeline, playing here, and what is asked of an agent."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from tests.support.rig import until
from tests.unit.cli.conftest import Run, World

TEXT = """
kind: Scenario
metadata: {name: evening}
spec:
  targets: [netns:a]
  steps:
  - {at: 0s, condition: {delay: 10ms}}
  - {at: 100ms, for: 100ms, ports: [80], condition: {loss: 5%}}
  - {at: 300ms, for: 100ms, partition: [[netns:b], [192.0.2.9]]}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "evening.yaml"
    path.write_text(TEXT)
    return str(path)


@pytest.mark.parametrize("words", [("check",), ("run", "--dry-run")])
def test_the_timeline(run: Run, world: World, file: str, words: tuple[str, ...]) -> None:
    lines = run("scenario", words[0], file, *words[1:]).out.splitlines()
    assert lines[0] == "evening: 0.4 s; leased for 30s at a time"
    assert lines[1:3] == [
        "    0.00 s  + evening.step-1 on netns:a: delay 10ms: all traffic, both ways",
        "    0.10 s  + evening.step-2 on netns:a: loss 5%: port 80, both ways",
    ]
    assert lines[-1] == "    0.40 s  end"
    assert world.kernel("a").attached == {}


def test_the_timeline_as_json(run: Run, world: World, file: str) -> None:
    moments = run("scenario", "check", file, "--json").json["status"]["moments"]
    assert [(each["atSeconds"], len(each["inForce"])) for each in moments] == [(0, 1), (0.1, 2), (0.2, 1), (0.3, 2)]


def test_played_here(run: Run, world: World, file: str) -> None:
    outcome = run("scenario", "run", file, "--direct")
    assert outcome.code == 0
    assert [line.split("s  ")[1] for line in outcome.out.splitlines()] == [
        "+ evening.step-1", "+ evening.step-2", "- evening.step-2", "+ evening.step-3",
    ]  # fmt: skip
    assert world.kernel("a").attached == world.kernel("b").attached == {}


def test_events_as_lines_of_json(run: Run, world: World, file: str) -> None:
    kinds = [json.loads(line)["event"] for line in run("scenario", "run", file, "--json").out.splitlines()]
    assert kinds == ["scenario-started", *["scenario-stepped"] * 4, "scenario-ended"]


def test_ctrl_c_takes_everything_back(run: Run, world: World, tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text("name: long\nlength: 1h\ntargets: [netns:a]\nsteps: [{at: 0s, condition: {delay: 10ms}}]\n")

    def interrupt() -> None:
        until(lambda: world.kernel("a").attached, 20, "it is in force")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    outcome = run("scenario", "run", str(path))
    thread.join()
    assert outcome.code == 0
    assert "stopped" in outcome.err
    assert world.kernel("a").attached == {}


def test_what_fails_is_told_and_taken_back(run: Run, world: World, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(TEXT.replace("netns:b", "netns:nobody"))
    outcome = run("scenario", "run", str(path))
    assert (outcome.code, "[unknown-target]" in outcome.err) == (1, True)
    assert world.kernel("a").attached == {}


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("play", "x"), "unknown-action", 2),
        (("run",), "missing-argument", 2),
        (("check", "/nowhere.yaml"), "no-file", 2),
        (("show",), "no-agent", 1),
        (("pause", "x"), "no-agent", 1),
    ],
)
def test_wrong_words(run: Run, world: World, words: tuple[str, ...], code: str, exit_code: int) -> None:
    outcome = run("scenario", *words)
    assert (outcome.code, f"[{code}]" in outcome.err) == (exit_code, True)


def test_an_error_names_the_file(run: Run, world: World, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("steps: [{at: 0s, fro: 1s}]")
    assert f"{path}: steps[0]" in run("scenario", "check", str(path)).err.replace("\n  ", " ")
