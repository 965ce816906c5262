"""`netweather matrix --kubernetes FILE`: the networks are a NetworkTest's, the command is its Job; the report is the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netweather.cli.output import remark
from netweather.cli.signals import Stopped
from netweather.errors import UsageError

if TYPE_CHECKING:
    from netweather.reports.matrix import Matrix

_WORDS = {
    "Pending": "waits for its targets",
    "Preparing": "is being put in force …",
    "Running": "its Job runs …",
    "Passed": "passed",
    "Failed": "failed",
    "TimedOut": "took too long",
    "CantTell": "CAN'T TELL",
}


def refuse_others(given: Mapping[str, object]) -> None:
    """What the file says can't be said beside it. given: options by their names. Raises UsageError conflicting-flags."""
    for name, value in given.items():
        if value not in (None, False, [], (), {}):
            why = "the NetworkTest in the file says what runs, and on which networks"
            raise UsageError("conflicting-flags", f"--kubernetes and {name} are given", why, "leave one of them out")


def matrix_in_cluster(file: str, must_pass: Sequence[str] | None, most: float | None, *, keep: bool) -> tuple[Matrix, list[str]]:
    """The matrix, and its shortcomings: by the flags, or else by the file. Raises Stopped, NetweatherError."""
    from netweather.testing.cluster_run import Interrupted, load_test, run

    document = load_test(Path(file))
    try:
        test, matrix = run(document, _tell, keep=keep)
    except Interrupted as stopped:
        remark("!", "stopped: the NetworkTest is deleted, and its conditions end")
        raise Stopped(stopped.number) from stopped
    return matrix, matrix.shortcomings(must_pass or test.must_pass or None, most or test.max_slowdown)


def _tell(cell: Mapping[str, Any]) -> None:
    """A line for each state of a network."""
    message = f": {cell['message']}" if cell.get("message") else ""
    remark("network", f"{cell['network']}: {_WORDS.get(cell['state'], cell['state'])}{message}")
