"""`explain`: figures and surprises, without a target and without root."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run


def test_figures_and_surprises(run: Run) -> None:
    outcome = run("explain", "--delay", "100ms", "--jitter", "20ms")
    assert outcome.code == 0
    assert "round trip added                200.0 ms (100.0 ms up, 100.0 ms down)\n" in outcome.out
    assert "note: each direction: jitter reorders packets" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_the_paths_own_round_trip_counts(run: Run) -> None:
    assert "TCP connect                     230.0 ms\n" in run("explain", "--delay", "100ms", "--path-rtt", "30ms").out


def test_json(run: Run) -> None:
    found = run("explain", "--profile", "3g", "--json").json
    assert found["rttAdded"].startswith("301.5")
    assert found["lossUp"] == 0
    assert {"code", "what", "remedy"} == set(found["traps"][0])


def test_one_direction(run: Run) -> None:
    assert run("explain", "--delay", "100ms", "--direction", "egress", "--json").json["rttAddedDown"] == "0s"


def test_a_trace_is_read_and_its_means_are_shown(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("time,rate,delay\n0s,10mbit,40ms\n3s,500kbit,120ms\n5s,,\n")
    outcome = run("explain", "--trace", str(tmp_path / "t.csv"), "--direction", "egress")
    assert "500 kbit/s to 10 Mbit/s, 6.2 Mbit/s in the mean; delay 40.0 ms to 120.0 ms" in " ".join(outcome.out.split())
    assert "explain --rate 500kbit --delay 120ms" in " ".join(outcome.out.split())
    found = run("explain", "--trace", str(tmp_path / "t.csv"), "--direction", "egress", "--json").json
    assert (found["traceUp"]["period"], found["traceUp"]["rate"]["mean"], found["traceDown"]) == (5, pytest.approx(6.2e6), None)
    assert found["rttAddedUp"].startswith("72.")


@pytest.mark.parametrize(
    ("words", "text", "code", "why"),
    [(("--trace",), None, "unreadable-file", "No such file"), (("--trace",), "5\n1\n", "bad-trace", "line 2"),
     (("--trace",), "time,rate\n0s,1mbit\n1s,x\n", "bad-trace", "line 3"),
     (("--delay", "9ms", "--jitter", "1ms", "--distribution"), None, "unreadable-file", "No such file"),
     (("--delay", "9ms", "--jitter", "1ms", "--distribution"), "1 x\n", "bad-distribution", "whole numbers")],
)  # fmt: skip
def test_files_are_refused_as_set_refuses_them(
    run: Run, tmp_path: Path, words: tuple[str, ...], text: str | None, code: str, why: str
) -> None:
    if text is not None:
        (tmp_path / "file.txt").write_text(text)
    outcome = run("explain", *words, str(tmp_path / "file.txt"))
    assert (outcome.code, f"[{code}]" in outcome.err, why in outcome.err) == (2, True, True), outcome.err


@pytest.mark.parametrize(
    ("words", "code"),
    [((), "no-condition"), (("--loss", "3"), "bad-percent"), (("--delay", "1s", "--path-rtt", "3"), "bad-duration"),
     (("--to", "192.0.2.1"), "unknown-option")],
)  # fmt: skip
def test_wrong_words(run: Run, words: tuple[str, ...], code: str) -> None:
    outcome = run("explain", *words)
    assert outcome.code == 2
    assert f"[{code}]" in outcome.err
