"""`profiles`: the list, and one in full."""

from __future__ import annotations

from netweather.conditions.profiles import builtin_profiles
from tests.unit.cli.conftest import Run


def test_the_list_fits_80_columns(run: Run) -> None:
    lines = run("profiles").out.splitlines()
    assert max(map(len, lines)) <= 80
    words = {line.split()[0] for line in lines if line and not line.startswith(" ")}
    assert words >= set(builtin_profiles())


def test_one_in_full(run: Run) -> None:
    text = run("profiles", "3g").out
    assert text.startswith("3g: ")
    assert "\n  down    delay " in text
    assert "\n  source  " in text


def test_the_far_end(run: Run) -> None:
    near, far = run("profiles", "3g", "--json").json[0], run("profiles", "3g/reversed", "--json").json[0]
    assert (near["up"], near["down"]) == (far["down"], far["up"])


def test_json_of_all(run: Run) -> None:
    assert [each["name"] for each in run("profiles", "--json").json] == list(builtin_profiles())


def test_an_unknown_one(run: Run) -> None:
    outcome = run("profiles", "3gg")
    assert outcome.code == 2
    assert "[unknown-profile]" in outcome.err
