"""What the Jobs of a NetworkTest said: kept in a ConfigMap, a key for each network, and made into the same report as `netweather matrix`'.

Everything here is bounded, since an object of Kubernetes is: BUDGET bytes for all that is kept, as much again for each document.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any, Final

from netweather.errors import NetweatherError
from netweather.kubernetes.objects.networktest import NetworkTest
from netweather.kubernetes.objects.snapshot import time_of
from netweather.kubernetes.reconcile.cells import FINAL
from netweather.reports.matrix import Cell, Matrix
from netweather.reports.matrix_pages import MARKS, junit, plain
from netweather.reports.outcomes import Case, Trial, cells_of, find

BUDGET: Final = 256 * 1024
MOST_CASES: Final = 500
"""Of one Job; the report says how many were left out."""
_KEY: Final = ".cell.json"
_LEFT_OUT: Final = "… (the beginning is left out)\n"


def kept(test: NetworkTest, network: str, done: Trial, facts: Mapping[str, Any]) -> dict[str, str]:
    """What the ConfigMap holds of a Job that has ended: its key and its text. facts: condition, leaseEnds, endedAt, startedAt."""
    cases: list[Case] = []
    note = ""
    if test.junit and not (done.problem and not done.output):
        try:
            cases, rest = find(done.output)
            done = replace(done, output=rest)
        except NetweatherError as error:
            done = replace(done, output=f"{done.output}\n{error}")
    if len(cases) > MOST_CASES:
        note = f"; {len(cases) - MOST_CASES} of its {len(cases)} tests are left out"
        cases = sorted(cases, key=lambda case: case.outcome != "failed")[:MOST_CASES]
    cells = cells_of(test.name, network, done, cases)
    failed = sum(cell.outcome in ("failed", "error") for cell in cells)
    told = {
        **facts,
        "state": _state(done, failed),
        "message": _message(done, cells, failed)[:500] + note,
        "tests": len(cells),
        "failed": failed,
    }
    return {network + _KEY: _within(told, cells, BUDGET // max(4, len(test.networks)))}


def _state(done: Trial, failed: int) -> str:
    if done.problem:
        return "CantTell"
    if done.code is None:
        return "TimedOut"
    return "Failed" if failed else "Passed"


def _message(done: Trial, cells: Sequence[Cell], failed: int) -> str:
    if done.problem:
        return done.problem
    if done.code is None:
        return f"ended after {done.seconds:.0f} s"
    tests = f"{len(cells) - failed} of {len(cells)} tests pass" if len(cells) > 1 else ""
    return "; ".join(part for part in (tests, f"exit code {done.code}" if done.code else "") if part)


def _within(told: Mapping[str, Any], cells: Sequence[Cell], most: int) -> str:
    """As JSON, of so many bytes at most: of logs the end is kept. The evidence is that of all of its cells."""
    evidence = cells[0].evidence
    room = most
    while True:
        listed = [asdict(replace(_cut(cell, room), evidence=())) for cell in cells]
        text = json.dumps({**told, "evidence": evidence, "cells": listed}, ensure_ascii=False)
        if len(text.encode()) <= most or (len(cells) == 1 and room < 64):
            return text
        if room < 64:
            cells = _worst(cells)
        room //= 2


def _cut(cell: Cell, room: int) -> Cell:
    return cell if len(cell.log) <= room else replace(cell, log=_LEFT_OUT + cell.log[len(cell.log) - room :])


def _worst(cells: Sequence[Cell]) -> list[Cell]:
    """Half of them: those that failed before those that passed."""
    order = sorted(range(len(cells)), key=lambda index: (cells[index].outcome not in ("failed", "error"), index))
    return [cells[index] for index in sorted(order[: (len(cells) + 1) // 2])]


def results_of(data: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """By network, of the ConfigMap's data, which others may write, too: what we didn't write is as if it was not there."""
    found = {}
    for key, text in data.items():
        if key.endswith(_KEY):
            with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
                told = json.loads(text)
                _check(told)
                found[key.removesuffix(_KEY)] = told
    return found


def _check(told: Mapping[str, Any]) -> None:
    """Raises ValueError, TypeError, KeyError when it is not as `kept` writes it."""
    texts = [told[key] for key in ("state", "message", "condition", "startedAt", "endedAt")]
    cells = _cells(told)
    texts += [part for cell in cells for part in (cell.test, cell.network, cell.log)]
    evidence = [part for each in told["evidence"] for part in (each["name"], each["target"], each["condition"])]
    numbers = [told["tests"], told["failed"], *(cell.seconds for cell in cells), *(each["seconds"] for each in told["evidence"])]
    time_of(told["leaseEnds"])
    well = all(isinstance(each, str) for each in texts + evidence) and all(isinstance(each, int | float) for each in numbers)
    if not well or told["state"] not in FINAL or any(cell.outcome not in MARKS for cell in cells):
        raise ValueError("not ours")


def _cells(told: Mapping[str, Any]) -> list[Cell]:
    return [Cell(**{**each, "evidence": tuple(told["evidence"])}) for each in told["cells"]]


def matrix_of(test: NetworkTest, results: Mapping[str, Mapping[str, Any]]) -> Matrix:
    """All that was gathered, in the order of the test's networks."""
    cells = [cell for network in test.networks if network.name in results for cell in _cells(results[network.name])]
    count = len(test.networks)
    return Matrix(f"{test.namespace}/{test.name} on {count} network{'s' * (count != 1)}", cells)


def documents(matrix: Matrix, wrong: list[str]) -> dict[str, str]:
    """The whole report for the ConfigMap, as JSON and as JUnit, with what has room of its logs and of the tests that passed."""
    return {
        "report.json": _fitting(matrix, lambda some: json.dumps(plain(some, wrong), ensure_ascii=False)),
        "report.xml": _fitting(matrix, lambda some: junit(some, wrong)),
    }


def _fitting(matrix: Matrix, made: Callable[[Matrix], str]) -> str:
    room, cells = BUDGET, matrix.cells
    while len((text := made(Matrix(matrix.title, [_cut(cell, room) for cell in cells]))).encode()) > BUDGET and len(cells) > 1:
        cells = cells if room >= 64 else _worst(cells)
        room //= 2 if room >= 64 else 1
    return text


def verdict(matrix: Matrix, test: NetworkTest) -> tuple[str, list[str]]:
    """AllIsWell, Shortcomings or CantTell, and why."""
    wrong = matrix.shortcomings(test.must_pass or None, test.max_slowdown)
    errors = sum(cell.outcome == "error" for cell in matrix.cells)
    return ("Shortcomings" if len(wrong) > errors else "CantTell" if wrong else "AllIsWell"), wrong
