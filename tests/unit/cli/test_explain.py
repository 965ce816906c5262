"""`explain`: figures and surprises, without a target and without root."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("words", "code"),
    [((), "no-condition"), (("--loss", "3"), "bad-percent"), (("--delay", "1s", "--path-rtt", "3"), "bad-duration"),
     (("--to", "192.0.2.1"), "unknown-option")],
)  # fmt: skip
def test_wrong_words(run: Run, words: tuple[str, ...], code: str) -> None:
    outcome = run("explain", *words)
    assert outcome.code == 2
    assert f"[{code}]" in outcome.err
