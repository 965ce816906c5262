"""What a user saw: pictures of a page with their times, and what they say of feedback and waiting. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
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


STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:1240px;padding:0 1rem;color:#1c2733;background:#fff}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}p{margin:.2rem 0 1rem;color:#4a5968}
.row{display:grid;grid-template-columns:11rem 1fr;gap:1rem;border-top:1px solid #d7dee6;padding:.8rem 0}
.row h3{font-size:1rem;margin:0 0 .3rem}
dl{margin:0;font-size:.8rem;display:grid;grid-template-columns:1fr auto;gap:.15rem .6rem}dt{color:#667788}
dd{margin:0;font-variant-numeric:tabular-nums;text-align:right}
dd.bad{color:#b3261e;font-weight:600}.strip{display:flex;gap:.5rem;overflow-x:auto;padding-bottom:.3rem}
figure{margin:0;flex:0 0 130px}img,.none{width:130px;border:1px solid #c3ccd6;border-radius:3px;display:block;background:#fff}
.none{height:120px;display:grid;place-items:center;color:#8795a3;font-size:.75rem}figcaption{font-size:.75rem;color:#667788;text-align:center}
.same img{opacity:.45}
@media(prefers-color-scheme:dark){body{background:#12181f;color:#dde5ee}p,dt,figcaption{color:#93a3b3}.row{border-color:#2b3743}dd.bad{color:#ff8a80}}
"""


@dataclass(frozen=True)
class Strip:
    """One film. facts: figures by their name; bad: the names of those that are to stand out."""

    name: str
    film: Film
    begin: float
    facts: Mapping[str, str]
    bad: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Section:
    """Strips to compare with each other, at the same times. seconds: after each one's beginning."""

    title: str
    strips: Sequence[Strip]
    seconds: Sequence[float]
    words: str = ""


def film_page(title: str, words: str, sections: Sequence[Section]) -> str:
    """The page. A picture that is the same as the one before it is pale: nothing had changed for the user."""
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><link rel="icon" href="data:,">',
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style><h1>{escape(title)}</h1><p>{escape(words)}</p>',
    ]
    for section in sections:
        parts.append(f"<section><h2>{escape(section.title)}</h2>")
        if section.words:
            parts.append(f"<p>{escape(section.words)}</p>")
        parts += [_row(strip, section.seconds) for strip in section.strips]
        parts.append("</section>")
    return "\n".join([*parts, "</html>", ""])


def _row(strip: Strip, seconds: Sequence[float]) -> str:
    facts = "".join(
        f"<dt>{escape(name)}</dt><dd{' class=bad' if name in strip.bad else ''}>{escape(value)}</dd>"
        for name, value in strip.facts.items()
    )
    frames = strip.film.strip(strip.begin, seconds)
    before: list[Frame | None] = [None, *frames]
    figures = "".join(_figure(frame, last, at) for frame, last, at in zip(frames, before, seconds, strict=False))
    return f'<div class="row"><div><h3>{escape(strip.name)}</h3><dl>{facts}</dl></div><div class="strip">{figures}</div></div>'


def _figure(frame: Frame | None, last: Frame | None, at: float) -> str:
    same = frame is not None and last is not None and frame.png == last.png
    picture = '<div class="none">nothing yet</div>'
    if frame is not None:
        data = base64.b64encode(frame.png).decode()
        picture = f'<img alt="after {at:g} seconds" src="data:image/png;base64,{data}">'
    return f"<figure{' class=same' if same else ''}>{picture}<figcaption>{at:g} s</figcaption></figure>"
