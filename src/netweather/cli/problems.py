"""Whatever went wrong becomes one NetweatherError, and that becomes words on stderr or, with --json, a problem on stdout."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Final

from netweather.cli.output import say_json, styled, wrapped
from netweather.connecting import no_root
from netweather.errors import NetweatherError, reason

_REPORT: Final = "run it again with --debug, and report what it prints as a bug of Netweather"


def report(error: Exception, words: Sequence[str], *, debug: bool = False) -> int:
    """Tells what went wrong. Returns the exit code: 1 it could not be done, 2 the words were wrong."""
    known = as_netweather(error)
    if debug:
        import traceback

        traceback.print_exception(error)
    if wants_json(words):
        say_json(known.as_problem())
    else:
        complain(known)
    return known.exit_code


def complain(error: NetweatherError) -> None:
    """An error in words, on stderr."""
    print(rendered(error), file=sys.stderr)


def wants_json(words: Sequence[str]) -> bool:
    """Whether --json was asked for, also in a line that could not be understood."""
    end = words.index("--") if "--" in words else len(words)
    return "--json" in words[:end]


def rendered(error: NetweatherError) -> str:
    """What, why and remedy, with the code behind; wrapped to the terminal's width."""
    title = styled("error:", "red bold", sys.stderr)
    code = styled(f"[{error.code}]", "dim", sys.stderr)
    # Styles have no width, so lines are wrapped before they are put in.
    plain = wrapped(f"error: {error.what} [{error.code}]", "", "  ", sys.stderr)
    lines = [plain.replace("error:", title, 1).replace(f"[{error.code}]", code)]
    for label, text in (("why", error.why), ("remedy", error.remedy)):
        if text:
            first, *more = text.strip().splitlines()
            line = wrapped(first, f"  {label:<8}", " " * 10, sys.stderr)
            lines.append(line.replace(label, styled(label, "bold", sys.stderr), 1))
            lines += [wrapped(line, " " * 10, " " * 10, sys.stderr) for line in more]
    return "\n".join(lines)


def as_netweather(error: Exception) -> NetweatherError:
    """The error in our terms; what we did not expect is an internal-error."""
    if isinstance(error, NetweatherError):
        return error
    if isinstance(error, OSError):
        return _refused(error)
    text = " ".join(str(error).split())[:300]
    return NetweatherError("internal-error", f"netweather failed: {type(error).__name__}", text, _REPORT)


def _refused(error: OSError) -> NetweatherError:
    """A system call's failure that nobody between us and the kernel has put into words."""
    why = reason(error)
    if error.errno in (errno.EPERM, errno.EACCES):
        if os.geteuid():
            return no_root()
        remedy = "`netweather doctor` says what this process may not do; a container needs --privileged and --pid=host"
        return NetweatherError("not-permitted", "the kernel did not permit the operation", why, remedy)
    return NetweatherError(
        "kernel-refused", "the kernel refused the operation", why, "`netweather doctor` says what this kernel lacks"
    )
