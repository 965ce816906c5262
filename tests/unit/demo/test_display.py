from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from netweather.demo import display
from netweather.demo.findings import Connections, networks
from tests.unit.demo.sample import ONCE, TWICE, report, result


def shown(*what: Any, width: int = 80) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"), color_system=None)  # noqa: SIM115 - below
    with console.file:
        for one in what:
            console.print(one)
        return console.export_text()


def test_the_table_fits_80_columns_and_cuts_nothing_off() -> None:
    text = shown(display.table(report().results))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for word in ("lossy Wi-Fi", "2.9, 29.0 ms", "PAID TWICE 3/3", "3.10 s, retry", "all paid once", "no limit", "600, 601 ms"):
        assert word in text


def test_the_widest_cells_fit() -> None:
    seen = replace(result(3).seen, rtt_ms=12.34, rtt_p95_ms=1234.0, goodput=31_094e6)
    text = shown(display.table([replace(result(3), seen=seen)]))
    assert "12.3, 1234 ms" in text
    assert "31,094" in text
    assert "2.0 % ±0.1" in text


def test_networks_to_come_show_what_will_be_asked() -> None:
    text = shown(display.table([result(0)], networks()[1:]))
    assert text.count("asked") == text.count("seen") == 5


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (ONCE, "all paid once"),
        (replace(ONCE, charged=(1,), told=1), "paid once"),
        (TWICE, "PAID TWICE 3/3"),
        (replace(TWICE, charged=(1, 2, 1)), "PAID TWICE 1/3"),
        (replace(TWICE, charged=(3,)), "PAID TWICE"),
        (replace(ONCE, charged=(1, 0, 0)), "not paid 2/3"),
        (replace(ONCE, told=2), "no answer 1/3"),
    ],
)
def test_the_worst_outcome_stands_out(outcome: Any, expected: str) -> None:
    assert display.outcome_cell(outcome)[1].plain == expected
    assert len(expected) <= 14


def test_conclusions_in_words() -> None:
    text = shown(display.conclusions(report()))
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("✓") == 4
    plain = " ".join(text.split())
    assert "Found a double purchase, on satellite" in plain
    assert "18 open TCP connections: none broke, 12 were the same" in plain
    assert "netweather set docker:NAME --profile 3g" in plain


def test_what_went_wrong_is_said() -> None:
    bad = report(
        results=[result(number, problems=("the pump is not running",)) for number in range(5)],
        connections=Connections(18, 10, 6, 2),
    )
    text = " ".join(shown(display.conclusions(bad)).split())
    assert text.count("✗") == 3
    assert "was not seen this time" in text
    assert "2 broke" in text
    assert "the pump is not running" in text
    left = report(left=["nwlab-1-1-0-shop"], results=[result(4, outcomes={"naive": TWICE, "fixed": TWICE})])
    text = " ".join(shown(display.conclusions(left)).split())
    assert "Left behind: nwlab-1-1-0-shop" in text
    assert "fixed shop sold twice as well, on satellite" in text


def test_the_bar_never_runs_ahead_of_its_step() -> None:
    screen = display.Screen(networks(), 10.0)
    screen.step("one", 4.0)
    assert 0 <= screen.done_s < 1
    screen.step("two", 0.0)
    assert screen.done_s == 4.0
    screen.add(result(0))
    screen.step("three", 99.0)
    screen.step("four", 1.0)
    assert screen.done_s == 10.0
    text = shown(screen)
    assert "four" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(("value", "expected"), [(0.063, "0.06"), (5.55, "5.5"), (99.94, "99.9"), (600.4, "600")])
def test_milliseconds(value: float, expected: str) -> None:
    assert display.milliseconds(value) in (expected, "5.6")


def test_it_runs_and_shows_the_report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Told:
        def __init__(self, _pace: Any, step: Any, add: Any) -> None:
            step("one", 1.0)
            add(result(0))

        def run(self) -> Any:
            return report()

    monkeypatch.setattr(display, "Story", Told)
    assert display.run(fast=True, colours=False, quiet=False) == report()
    assert "PAID TWICE 3/3" in capsys.readouterr().out
    display.run(fast=True, colours=False, quiet=True)
    assert capsys.readouterr().out == ""
