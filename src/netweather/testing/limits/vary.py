"""Which word of a condition is varied, from the good end to the bad: `delay=0..5s`, `loss=0%..30%`, `rate=10mbit..64kbit`. Pure.

Delays and shares go in equal steps, rates in equal ratios. One that fails: `delay=0` (bad-range: two ends are needed).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from netweather.conditions.language.flags import FLAGS
from netweather.errors import UsageError, unknown
from netweather.units import Duration, Percent, Rate

Value = Duration | Percent | Rate
KINDS: Final = (Duration, Percent, Rate)
KNOWN: Final = {flag.name: flag for flag in FLAGS if flag.group == "condition" and flag.hint in KINDS}


@dataclass(frozen=True)
class Vary:
    """A word (a flag's name), its values at both ends, and into how many steps the way between them is divided."""

    word: str
    good: Value
    bad: Value
    steps: int

    def value(self, point: int) -> Value:
        """At a point: 0 is the good end, `steps` the bad one."""
        return {0: self.good, self.steps: self.bad}.get(point) or _between(self.good, self.bad, point / self.steps)

    def text(self, point: int) -> str:
        """The value as it is written."""
        return str(self.value(point))

    def number(self, point: int) -> float:
        """For plots: seconds, percent or bits a second."""
        return number(self.value(point))

    @property
    def unit(self) -> str:
        return {Duration: "s", Percent: "%", Rate: "bit/s"}[type(self.good)]


def number(value: Value) -> float:
    """Seconds, percent or bits a second."""
    if isinstance(value, Duration):
        return value.seconds
    return value.fraction * 100 if isinstance(value, Percent) else float(value.bits_per_second)


def parse(text: str, steps: int = 64) -> Vary:
    """Reads WORD=GOOD..BAD. Raises UsageError: bad-range, unknown-word, and what the values' own units say."""
    word, equals, ends = text.partition("=")
    good, dots, bad = ends.partition("..")
    if not equals or not dots or not good.strip() or not bad.strip():
        raise _bad(text, "a word and its two ends are needed")
    flag = KNOWN.get(word.strip().replace("_", "-"))
    if flag is None:
        raise unknown("unknown-word", word.strip(), KNOWN)
    first, last = _read(flag.hint, good), _read(flag.hint, bad)
    if first == last:
        raise _bad(text, "both ends are the same")
    if isinstance(first, Rate) and 0 in (number(first), number(last)):
        raise _bad(text, "a rate of 0 means no limit")
    made = Vary(flag.name, first, last, steps)
    if len({made.text(point) for point in range(steps + 1)}) <= steps:
        raise _bad(text, f"there are no {steps} values between its ends")
    return made


def bound(vary: Vary, text: str) -> float:
    """Where on the way a value is, in points. Raises UsageError."""
    wanted, good, bad = (number(value) for value in (_read(type(vary.good), text), vary.good, vary.bad))
    if not min(good, bad) <= wanted <= max(good, bad):
        what = f"{text} is not between {vary.good} and {vary.bad}"
        raise UsageError("bad-range", what, "it is outside of the range", "write a value in the range")
    if vary.unit == "bit/s":
        wanted, good, bad = (math.log(value) for value in (wanted, good, bad))
    return (wanted - good) / (bad - good) * vary.steps


def _bad(text: str, why: str) -> UsageError:
    remedy = "write --vary delay=0..5s, loss=0%..30% or rate=10mbit..64kbit: the better value first"
    return UsageError("bad-range", f"{text[:60]!r} does not name a property and a range", why, remedy)


def _read(hint: Any, text: str) -> Value:
    """hint: one of KINDS."""
    text = text.strip()
    read: Value = hint.parse("0%" if text == "0" and hint is Percent else text)
    return read


def _between(good: Value, bad: Value, share: float) -> Value:
    if isinstance(good, Duration) and isinstance(bad, Duration):
        ns = good.ns + (bad.ns - good.ns) * share
        return Duration(_rounded(ns, abs(bad.ns - good.ns)))
    if isinstance(good, Percent) and isinstance(bad, Percent):
        ppb = good.ppb + (bad.ppb - good.ppb) * share
        return Percent(_rounded(ppb, abs(bad.ppb - good.ppb)))
    assert isinstance(good, Rate)
    assert isinstance(bad, Rate)
    bits = good.bits_per_second * (bad.bits_per_second / good.bits_per_second) ** share
    return Rate(_rounded(bits, round(bits)))


def _rounded(value: float, scale: int) -> int:
    """To four digits of the scale: nobody wants 1.171875 s."""
    unit: int = 10 ** max(0, len(str(scale)) - 4)
    return round(value / unit) * unit
