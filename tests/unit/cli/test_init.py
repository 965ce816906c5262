"""main: what is imported, exit codes, and how failures end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from netweather import cli
from tests.unit.cli.conftest import Run

HEAVY = ("rich", "yaml", "pydantic", "netweather.engine", "netweather.conditions", "netweather.kernel")


@pytest.mark.parametrize(("words", "heavy"), [((), HEAVY), (("set",), HEAVY[:4]), (("show",), HEAVY[:4])])
def test_help_imports_little(words: tuple[str, ...], heavy: tuple[str, ...]) -> None:
    program = f"import sys\nfrom netweather.cli import main\nmain({[*words, '--help']})\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stderr.split()) & set(heavy) == set()
    assert done.stdout.startswith("Usage: netweather")


def test_without_words_the_help_page_is_shown(run: Run) -> None:
    outcome = run()
    assert outcome.code == 0
    assert outcome.out == run("--help").out


def test_the_version(run: Run) -> None:
    assert run("--version").out.startswith("netweather 0.")


def test_ctrl_c_is_130_and_says_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(words: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("netweather.cli.app.run", interrupted)
    outcome = run("show")
    assert (outcome.code, outcome.out, outcome.err) == (cli.INTERRUPTED, "", "")


def test_a_defect_is_told_in_short_and_with_debug_in_full(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(words: list[str]) -> int:
        raise KeyError("lines")

    monkeypatch.setattr("netweather.cli.app.run", broken)
    short, full = run("show"), run("show", "--debug")
    assert short.code == full.code == 1
    assert "[internal-error]" in short.err
    assert "Traceback" not in short.err
    assert "Traceback" in full.err


def test_debug_after_two_dashes_is_somebody_elses() -> None:
    words = ["show", "--debug", "--", "--debug"]
    assert cli._take(words, "--debug")
    assert words == ["show", "--", "--debug"]


def test_nobody_reads_on() -> None:
    command = [sys.executable, "-c", "import sys; from netweather.cli import main; sys.exit(main())", "profiles"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == ""
