"""`profiles`: the list, and one in full."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netweather.conditions.profiles import builtin_profiles
from tests.support.repository import ROOT
from tests.unit.cli.conftest import Run, World


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


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "office.yaml"
    file.write_text("office: {title: the office, down: {rate: 50mbit}, up: {rate: 10mbit}, both: {rtt: 20ms}}\n")
    monkeypatch.setenv("NETWEATHER_PROFILES", str(file))
    return file


def test_the_users_own_are_listed_and_shown(run: Run, office: Path) -> None:
    assert run("profiles", "--json").json[-1]["file"] == str(office)
    assert run("profiles").out.splitlines()[-2].startswith("office ")
    assert f"\n  file    {office}\n" in run("profiles", "office").out.replace("\n          ", "")


def test_the_users_own_are_set_and_explained(run: Run, world: World, office: Path) -> None:
    out = run("set", "netns:a", "--profile", "office").out
    assert "  delay 10ms, rate 10mbit: all traffic, egress\n" in out
    assert "  delay 10ms, rate 50mbit: all traffic, ingress\n" in out
    added = run("explain", "--profile", "office", "--json").json["rttAdded"]
    assert added == "20.09408ms"  # 98 bytes take 78.4 µs at 10 mbit, 15.68 µs at 50 mbit


def test_a_broken_file_hurts_only_who_needs_it(run: Run, world: World, office: Path) -> None:
    office.write_text("office: {down: {rate: quick}}\n")
    assert run("set", "netns:a", "--loss", "1%").code == 0
    assert f"{office}: office.down" in " ".join(run("profiles").err.split())


def test_the_page_on_profiles_is_right(run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "profiles.md").read_text()
    blocks = dict(re.findall(r"^```(yaml|sh)\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    monkeypatch.chdir(tmp_path)
    for name, text in (("office.yaml", blocks["yaml"]), ("train-down.trace", "1\n5\n"), ("train.dist", "-8192 0 8192\n")):
        (tmp_path / name).write_text(text)
    for line in blocks["sh"].splitlines():
        place, program, *words = line.replace("netns:shop", "netns:a").split()
        assert program == "netweather"
        monkeypatch.setenv(*place.split("="))
        assert run(*words).code == 0
    assert run("set", "netns:a", "--profile", "train").code == 0
    assert f"lists {len(builtin_profiles())} of them" in page
