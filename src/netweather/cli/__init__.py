"""The command line: `netweather COMMAND …`. Only turns words into calls of the engine, and what comes back into words.

This module is all that is imported before it is known what is wanted; commands are modules of this package, loaded on demand
(see `commands`), and Rich only where a table is drawn. Not here: what a condition means, and anything that touches the kernel.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from netweather.cli.signals import Stopped as _Stopped
from netweather.cli.signals import interrupted_by_signals as _interrupted_by_signals

__all__ = ["INTERRUPTED", "main"]

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C, as a shell has it."""


def main(arguments: Sequence[str] | None = None, program: str = "netweather.cli.app") -> int:
    """Runs a command line (the process's own unless given). Returns its exit code; errors are told on stderr.

    program: the module whose `run` knows the commands.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = _take(words, "--debug")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that cannot show ± is no reason to fail
    try:
        with _interrupted_by_signals():
            code = _run(words, program, debug=debug)
            sys.stdout.flush()
    except BrokenPipeError:  # `netweather show | head`: nobody reads on, and nothing is to be said about it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _run(words: list[str], program: str, *, debug: bool) -> int:
    try:
        code: int = importlib.import_module(program).run(words)
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except _Stopped as stopped:
        return stopped.exit_code
    except BrokenPipeError:
        raise
    except Exception as error:
        from netweather.cli.problems import report

        return report(error, words, debug=debug)


def _take(words: list[str], switch: str) -> bool:
    """Takes a switch out that may stand anywhere before `--`. Returns whether it was there."""
    end = words.index("--") if "--" in words else len(words)
    found = switch in words[:end]
    words[:end] = [word for word in words[:end] if word != switch]
    return found
