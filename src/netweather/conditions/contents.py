"""A trace or a table of delays in a condition: the path of a file, or what stands in it.

What has more than one line is contents; a path has one. When a condition is set, the contents take the place of the path, so
that whoever carries it out later, or elsewhere, needs no file. The file's name stays as a comment at the end of the first line,
so that the numbers of the lines stay the file's:
    1  # train.trace
    5
Not here: what traces and tables mean (lines.traces, distributions).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from netweather.errors import UsageError

MOST_BYTES: Final = 16 << 20


def is_contents(word: str) -> bool:
    """Whether it is contents, and not a path."""
    return "\n" in word


def text_of(word: str, noun: str, folder: Path = Path()) -> str:
    """The contents: the word itself, or what the file holds. noun: what it is, for people. folder: where relative paths begin.

    Raises UsageError unreadable-file.
    """
    if is_contents(word):
        return word
    try:
        with (folder / word).open(encoding="utf-8") as file:
            text = file.read(MOST_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text"
        raise UsageError("unreadable-file", f"the {noun} {word} can't be read", reason, "check the path") from error
    if len(text) > MOST_BYTES:
        raise UsageError("unreadable-file", f"the {noun} {word} can't be read", f"it is larger than {MOST_BYTES >> 20} MiB", "")
    return text


def with_contents(word: str, noun: str, folder: Path = Path()) -> str:
    """The same as contents, with the file's name behind the first line. Raises UsageError unreadable-file."""
    if is_contents(word):
        return word
    name = re.sub(r"[^\x20-\x7e]|#", "?", Path(word).name)
    first, *others = text_of(word, noun, folder).rstrip().splitlines() or [""]
    return "\n".join([f"{first}  # {name}".strip(), *others, ""])


def label_of(word: str) -> str:
    """A short name for people: the path, or the comment in the first line of contents."""
    if not is_contents(word):
        return word
    first = word.partition("\n")[0]
    return first.rpartition("#")[2].strip()[:60] if "#" in first else f"of {len(word.splitlines())} lines"
