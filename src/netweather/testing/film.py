"""What a user saw: pictures of a page with their times, and what they say of feedback and waiting. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(frozen=True)
class Frame:
    """at: Unix time in seconds at which the page looked so; png: the picture."""

    at: float
    png: bytes


@dataclass
class Film:
    """Pictures in the order of their times. Two are the same when their bytes are."""

    frames: list[Frame] = field(default_factory=list)

    def changes(self, begin: float, end: float = float("inf")) -> list[float]:
        """The times after `begin` at which the page began to look otherwise than before."""
        before = self.at(begin)
        last = before.png if before else None
        found = []
        for frame in self.frames:
            if begin < frame.at <= end and frame.png != last:
                found.append(frame.at)
                last = frame.png
        return found

    def first_feedback(self, click: float, end: float = float("inf")) -> float | None:
        """Seconds from a click to the first change that the user can see; None when there was none until `end`."""
        found = self.changes(click, end)
        return found[0] - click if found else None

    def longest_still(self, begin: float, end: float) -> float:
        """The longest time in seconds for which nothing changed."""
        times = [begin, *self.changes(begin, end), end]
        return max(later - earlier for earlier, later in pairwise(times))

    def at(self, time: float) -> Frame | None:
        """What the page looked like at a time; None before the first picture."""
        return next((frame for frame in reversed(self.frames) if frame.at <= time), None)

    def strip(self, begin: float, seconds: Sequence[float]) -> list[Frame | None]:
        """The pictures at these seconds after `begin`."""
        return [self.at(begin + one) for one in seconds]
