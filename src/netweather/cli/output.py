"""Writing to the terminal: colours only where they are wanted, JSON alone on stdout, remarks on stderr. Words are elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_CODES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_READABLE: Final = 110
_PIPE_WIDTH: Final = 240  # nothing is wrapped for a program that reads lines


def coloured(stream: TextIO) -> bool:
    """Whether colours are wanted there: a terminal, and no NO_COLOR; FORCE_COLOR wants them everywhere."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


def styled(text: str, style: str, stream: TextIO) -> str:
    """The text in one of the styles bold, dim, red, green and yellow, or several, where colours are wanted."""
    if not text or not coloured(stream):
        return text
    return f"\033[{';'.join(_CODES[word] for word in style.split())}m{text}\033[0m"


def columns(stream: TextIO) -> int:
    """The width of a terminal, COLUMNS first; a large one for what is none."""
    if not os.environ.get("COLUMNS", "").isdigit() and not stream.isatty():
        return _PIPE_WIDTH
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def say(text: str) -> None:
    """What a command found or did."""
    print(text)


def remark(kind: str, text: str) -> None:
    """A note or warning, on stderr: what the user should know, and no result."""
    line = wrapped(f"{kind}: {text}", "", "  ", sys.stderr)
    print(line.replace(f"{kind}:", styled(f"{kind}:", "yellow", sys.stderr), 1), file=sys.stderr)


def wrapped(text: str, first: str, following: str, stream: TextIO) -> str:
    """The text in lines that fit the terminal, and are no longer than can be read; words stay whole."""
    found = columns(stream)
    width = found if found == _PIPE_WIDTH else min(found, _READABLE)
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=following, break_long_words=False, break_on_hyphens=False
    )


def say_json(data: Any, *, compact: bool = False) -> None:
    """A result for programs: the only thing on stdout."""
    print(json.dumps(data, ensure_ascii=False, indent=None if compact else 2), flush=True)


def console() -> Console:
    """A Rich console on stdout that colours and wraps as the rest of the command line does."""
    from rich.console import Console

    on = coloured(sys.stdout)
    return Console(
        file=sys.stdout,
        width=columns(sys.stdout),
        highlight=False,
        markup=False,
        emoji=False,
        color_system="standard" if on else None,
        force_terminal=on or None,
    )


def say_table(titles: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """A plain table without lines; cells are texts, or Rich's."""
    say(drawn(table(titles, rows)))


def drawn(renderable: Any) -> str:
    """What Rich makes of something, without the blanks that it fills lines with."""
    screen = console()
    with screen.capture() as captured:
        screen.print(renderable)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))


def table(titles: Iterable[str], rows: Iterable[Iterable[Any]]) -> Any:
    """The same as a Rich table, for live display. Nothing is cut off, and the first column stays whole: names are to be copied."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, title in enumerate(titles):
        made.add_column(title, no_wrap=index == 0, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made
