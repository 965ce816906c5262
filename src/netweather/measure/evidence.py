"""Evidence: what was asked, what the kernel holds, what was measured, and the verdict; as dataclasses and as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from netweather.measure.statistics import Interval


class Verdict(StrEnum):
    """PASS and FAIL are said with confidence; CAN'T TELL says why not."""

    PASS = "PASS"
    FAIL = "FAIL"
    CANT_TELL = "CAN'T TELL"

    @property
    def exit_code(self) -> int:
        return {"PASS": 0, "FAIL": 1}.get(self.value, 3)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """One FAIL fails the whole; one CAN'T TELL, or nothing at all, leaves it open."""
    found = set(verdicts)
    if Verdict.FAIL in found:
        return Verdict.FAIL
    return Verdict.CANT_TELL if Verdict.CANT_TELL in found or not found else Verdict.PASS


@dataclass(frozen=True, slots=True)
class Figure:
    """One field in one direction. unit: s, share, bit/s, packets or distance. asked: as it is expected to be seen.

    interval: of what was seen; why: what a verdict other than PASS rests on. without: the same without the condition, as the null
    measurement saw it; error: how uncertain the difference of the two is, half of its interval.
    """

    name: str
    direction: str
    unit: str
    asked: float | None
    seen: float | None
    interval: Interval | None
    verdict: Verdict
    samples: int = 0
    why: str = ""
    without: float | None = None
    error: float | None = None


@dataclass(frozen=True, slots=True)
class Null:
    """The same path without the condition, in one direction or a round trip: the median delay (s), and how many packets were lost.

    why: it could not be measured.
    """

    direction: str
    seen: float | None
    interval: Interval | None
    samples: int = 0
    lost: int = 0
    why: str = ""

    def words(self) -> str:
        """'egress 0.06 ms (0.05 ms – 0.08 ms), 0 of 200 lost'."""
        if self.seen is None:
            return f"{self.direction}: {self.why}"
        between = f"{value_words(self.interval.low, 's')} – {value_words(self.interval.high, 's')}" if self.interval else ""
        return f"{self.direction} {value_words(self.seen, 's')} ({between}), {self.lost} of {self.samples} lost"


@dataclass(frozen=True, slots=True)
class Series:
    """What a plot needs of one direction. Seconds and bits a second; delays in order. run_asked: the mean of losses in a row."""

    delays: tuple[float, ...] = ()
    model: tuple[float, ...] = ()
    loss_runs: tuple[int, ...] = ()
    run_asked: float | None = None
    rates: tuple[tuple[float, float], ...] = ()
    rate_asked: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One rule, measured. probe: what was sent, in words. packets: by how much the rule's counter moved. null: without the condition."""

    rule: int
    probe: str
    figures: tuple[Figure, ...]
    packets: int = 0
    series: dict[str, Series] = field(default_factory=dict)
    null: tuple[Null, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return worst(figure.verdict for figure in self.figures)


@dataclass(frozen=True, slots=True)
class ConditionEvidence:
    """One network condition on one target. requested: its document; kernel: what was read back; problems: what is wrong there."""

    target: str
    name: str
    requested: dict[str, Any]
    expected: tuple[dict[str, Any], ...]
    kernel: dict[str, Any]
    problems: tuple[str, ...]
    measured: tuple[Measured, ...]

    @property
    def kernel_verdict(self) -> Verdict:
        return Verdict.FAIL if self.problems else Verdict.PASS

    @property
    def verdict(self) -> Verdict:
        if self.problems:
            return Verdict.FAIL
        return worst(measured.verdict for measured in self.measured)


def in_words(evidence: ConditionEvidence) -> str:
    """What the verdict rests on, in a line: first what is wrong, then what can't be told, then what was asked for and seen."""
    figures = [figure for measured in evidence.measured for figure in measured.figures if figure.asked or figure.why]
    ordered = [each for verdict in (Verdict.FAIL, Verdict.CANT_TELL, Verdict.PASS) for each in figures if each.verdict is verdict]
    packets = sum(measured.packets for measured in evidence.measured)
    return "; ".join([*evidence.problems, *map(_figure_words, ordered), f"{packets} packets matched its rules"])


def open_questions(evidence: ConditionEvidence) -> str:
    """What could not be measured, and why: 'rate egress, rate ingress: round trips do not show it'; '' when all could."""
    reasons: dict[str, list[str]] = {}
    for figure in (figure for measured in evidence.measured for figure in measured.figures):
        if figure.verdict is Verdict.CANT_TELL:
            reasons.setdefault(figure.why, []).append(f"{figure.name} {figure.direction}".strip())
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in reasons.items())


def _figure_words(figure: Figure) -> str:
    """'delay egress: 200.3 ms seen, 200 ms asked (why it doesn't pass)'."""
    name = f"{figure.name} {figure.direction}".strip()
    if figure.seen is None:
        return f"{name}: CAN'T TELL: {figure.why}"
    asked = f", {value_words(figure.asked, figure.unit)} asked" if figure.asked is not None else ""
    error = f" ± {value_words(figure.error, figure.unit)}" if figure.error is not None else ""
    return f"{name}: {value_words(figure.seen, figure.unit)}{error} seen{asked}" + (f" ({figure.why})" if figure.why else "")


def value_words(value: float | None, unit: str) -> str:
    """'100.1 ms', '5.2 %', '10 Mbit/s'; '' of None. unit: as of figures."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return "?"
    if unit == "s":
        return f"{value * 1000:.4g} ms"
    if unit == "share":
        return f"{value * 100:.3g} %"
    if unit == "bit/s":
        return f"{value / 1e6:.4g} Mbit/s" if value >= 1e6 else f"{value / 1e3:.4g} kbit/s"
    return f"{value:.3g}"
