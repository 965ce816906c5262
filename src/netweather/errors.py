"""The one error type of Netweather: every failure carries code, what, why and remedy.

Not here: exit handling and rendering, which are the front ends'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Self

_GONE: Final = frozenset({"unknown-target", "target-not-running"})
_ENDED: Final = _GONE | {"no-such-condition"}


class NetweatherError(Exception):
    """Something could not be done, and nothing was left behind.

    code: stable kebab-case identifier (a heading of docs/errors.md).
    what: one sentence, what failed, naming the user's own words.
    why: the cause, as far as it is known; may be empty.
    remedy: what the user can do about it; may be empty only when nothing can be done.
    """

    exit_code = 1

    def __init__(self, code: str, what: str, why: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        parts = [f"{self.what} [{self.code}]"]
        if self.why:
            parts.append(f"because: {self.why}")
        if self.remedy:
            parts.append(f"remedy: {self.remedy}")
        return "\n".join(parts)

    def as_problem(self) -> dict[str, str]:
        """The error as an RFC 9457 problem object (strings only)."""
        return {
            "type": f"https://netweather.dev/errors/{self.code}",
            "title": self.what,
            "code": self.code,
            "detail": self.why,
            "remedy": self.remedy,
        }

    @classmethod
    def from_problem(cls, document: Mapping[str, object]) -> Self:
        """The error of a problem object. Raises KeyError when it is not one."""
        return cls(*(str(document[key]) for key in ("code", "title", "detail", "remedy")))


class UsageError(NetweatherError):
    """The request itself is wrong: nothing was tried (exit 2)."""

    exit_code = 2


def reason(error: Exception) -> str:
    """What went wrong in words: of an OSError the kernel's own explanation, without its number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def target_is_gone(error: BaseException | None) -> bool:
    """Whether an error says that there is no such target, or that it does not run."""
    return isinstance(error, NetweatherError) and error.code in _GONE


def has_ended(error: BaseException | None) -> bool:
    """Whether an error says that a condition is not in force any more: for whoever ends it, that is no failure."""
    return isinstance(error, NetweatherError) and error.code in _ENDED


def unknown(code: str, word: object, known: Iterable[str], where: str = "") -> UsageError:
    """A UsageError for `word` that is none of `known`; `where` is the place that holds it."""
    from difflib import get_close_matches

    words = sorted(known)
    text = str(word)[:60]
    near = get_close_matches(text, words, 1, 0.5) or get_close_matches(text.lower(), words, 1, 0.5)
    noun = code.removeprefix("unknown-").replace("-", " ")
    place = f"{where}: " if where else ""
    remedy = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(words)}"
    return UsageError(code, f"{place}{text!r} is not a known {noun}", f"known are {', '.join(words)}" if near else "", remedy)
