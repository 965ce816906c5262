"""`netweather matrix`: a command on several networks; a table of what passes where, reports, and whether that is good enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netweather.cli import command_factory
from netweather.cli.options import direct_option, given, json_option, with_flags
from netweather.cli.output import drawn, remark, say, say_json
from netweather.cli.signals import Stopped, stopped_by_signals
from netweather.cli.trials.trial_options import (
    CANT_TELL,
    command_argument,
    command_of,
    localhost_option,
    place_of,
    reach_option,
    seconds_of,
    target_option,
    timeout_option,
    unmatched_option,
    words_of,
)
from netweather.errors import UsageError

if TYPE_CHECKING:
    from netweather.reports.matrix import Matrix
    from netweather.reports.outcomes import Trial

_EXAMPLES = """
# the tests of a Go program with a distant database
netweather matrix --profiles perfect,3g --target docker:shop --to docker:db \\
  --junit out.xml --report 3g.html -- gotestsum --junitfile out.xml ./...
# COMMAND in its own network; 3g may fail; nothing may take 3 times as long
netweather matrix --profiles perfect,4g,3g --must-pass perfect,4g \\
  --max-slowdown 3 --localhost -- npm test
# a NetworkTest in the cluster that KUBECONFIG names
netweather matrix --kubernetes checkout.yaml --report checkout.html
"""

_STATES = {
    "Pending": "waits for its targets",
    "Preparing": "is being put in force …",
    "Running": "its Job runs …",
    "Passed": "passed",
    "Failed": "failed",
    "TimedOut": "took too long",
    "CantTell": "CAN'T TELL",
}


@command_factory.command("matrix", examples=_EXAMPLES)
@command_argument
@command_factory.option("--profiles", metavar="NAMES", help="networks to try (default: perfect,4g,3g,lossy-wifi)")
@target_option
@reach_option
@localhost_option
@command_factory.option("--junit", metavar="FILE", help="JUnit XML file that COMMAND writes; adds a row for each test")
@command_factory.option(
    "--report", metavar="FILE", multiple=True, help="write a report as .html, .md or .xml (JUnit); repeatable"
)
@command_factory.option(
    "--must-pass", metavar="NAMES", help="networks on which COMMAND and all its tests must pass (default: all networks)"
)
@command_factory.option("--max-slowdown", metavar="TIMES", help="fail if a run takes more than TIMES times as long as on perfect")
@timeout_option
@command_factory.option("--kubernetes", metavar="FILE", help="run the NetworkTest in FILE in a Kubernetes cluster")
@command_factory.option("--keep", is_flag=True, help="with --kubernetes: do not delete the NetworkTest afterwards")
@unmatched_option
@direct_option
@json_option
@with_flags("match")
def command(  # long: a line for each option
    command: tuple[str, ...],
    *,
    profiles: str | None,
    target: tuple[str, ...],
    reach: tuple[str, ...],
    localhost: bool,
    junit: str | None,
    report: tuple[str, ...],
    must_pass: str | None,
    max_slowdown: str | None,
    timeout: str | None,
    kubernetes: str | None,
    keep: bool,
    allow_unmatched: bool,
    direct: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Runs COMMAND once on each network, and compares results and durations.

    COMMAND finds the network's name in the environment variable NETWEATHER_NETWORK. Exit 0: success; 1: a run failed on a
    network where it must pass, or took too long; 3: a network was not in force for the whole run, or no packet matched it.
    """
    from netweather.reports.matrix import network_names
    from netweather.reports.matrix_pages import kind_of
    from netweather.testing.trials import Comparison

    most = _times(max_slowdown)
    paths = [Path(each) for each in report]
    for path in paths:
        kind_of(path)
    if kubernetes is not None:
        others = {"COMMAND": command, "--profiles": profiles, "--target": target, "--reach": reach, "--localhost": localhost}
        _refuse_others({**others, "--junit": junit, "--timeout": timeout, "--direct": direct, "a match": given(flags)})
        try:
            matrix, wrong = _in_cluster(kubernetes, _listed(must_pass), most, keep=keep)
        except Stopped as stopped:
            return stopped.exit_code
        return _report(matrix, wrong, paths, as_json=as_json)
    words = command_of(command, "matrix")
    if profiles is None:
        raise UsageError("no-networks", "the list of networks is empty", "", "write --profiles perfect,3g")
    networks = network_names(profiles)
    needed = network_names(must_pass) if must_pass else None
    place = place_of(target, reach, localhost=localhost, direct=direct)
    comparison = Comparison(
        place, words, words_of(flags, unmatched=allow_unmatched), Path(junit) if junit else None, seconds_of(timeout)
    )
    try:
        with stopped_by_signals():
            matrix = comparison.run(networks, _Progress(len(networks)))
    except Stopped as stopped:
        return stopped.exit_code
    return _report(matrix, matrix.shortcomings(needed, most), paths, as_json=as_json)


def _refuse_others(given: Mapping[str, object]) -> None:
    """What the file says can't be said beside it. given: options by their names. Raises UsageError conflicting-flags."""
    for name, value in given.items():
        if value not in (None, False, [], (), {}):
            why = "the NetworkTest in the file says what runs, and on which networks"
            raise UsageError("conflicting-flags", f"--kubernetes and {name} are given", why, "leave one of them out")


def _in_cluster(file: str, must_pass: Sequence[str] | None, most: float | None, *, keep: bool) -> tuple[Matrix, list[str]]:
    """The matrix, and its shortcomings: by the flags, or else by the file. Raises Stopped, NetweatherError."""
    from netweather.testing.cluster_run import Interrupted, load_test, run

    document = load_test(Path(file))
    try:
        test, matrix = run(document, _tell_state, keep=keep)
    except Interrupted as stopped:
        remark("!", "stopped: the NetworkTest is deleted, and its conditions end")
        raise Stopped(stopped.number) from stopped
    return matrix, matrix.shortcomings(must_pass or test.must_pass or None, most or test.max_slowdown)


def _tell_state(cell: Mapping[str, Any]) -> None:
    """A line for each state of a network."""
    message = f": {cell['message']}" if cell.get("message") else ""
    remark("network", f"{cell['network']}: {_STATES.get(cell['state'], cell['state'])}{message}")


def _listed(names: str | None) -> list[str]:
    return [name.strip() for name in (names or "").split(",") if name.strip()]


def _times(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 1 <= found < float("inf"):
        raise UsageError("bad-count", f"--max-slowdown {text!r} is not a factor", "a number of at least 1 is needed", "write 3")
    return found


class _Progress:
    """A line for each network that is done."""

    def __init__(self, count: int) -> None:
        self.count, self.number = count, 0

    def __call__(self, name: str, done: Trial | None) -> None:
        from netweather.reports.matrix_pages import seconds

        if done is None:
            self.number += 1
            remark("network", f"{name} ({self.number} of {self.count}) …")
        else:
            ended = "passed" if done.passed else "took too long" if done.code is None else f"exit code {done.code}"
            remark("network", f"{name}: {ended} after {seconds(done.seconds)}{'; ' + done.problem if done.problem else ''}")


def _report(matrix: Matrix, wrong: list[str], paths: list[Path], *, as_json: bool) -> int:
    """Writes and prints it; the exit code."""
    from netweather.reports.matrix_pages import plain, table, write

    for path in paths:
        write(matrix, path, wrong)
    if as_json:
        say_json(plain(matrix, wrong))
    else:
        say(drawn(table(matrix)))
    for each in wrong:
        remark("!", each)
    for path in paths:
        remark("written", str(path))
    errors = sum(cell.outcome == "error" for cell in matrix.cells)
    return 1 if len(wrong) > errors else CANT_TELL if wrong else 0
