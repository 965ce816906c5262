"""testing/limits/limit_search.py: what is in the picture."""

from __future__ import annotations

import re
from pathlib import Path

from netweather.testing.limits.bisection import find
from netweather.testing.limits.limit_search import FoundLimit, LimitRun, draw
from netweather.testing.limits.vary import parse


def test_every_run_and_the_sentence_are_drawn(tmp_path: Path) -> None:
    vary = parse("rate=16mbit..1mbit", 16)
    limit = find(lambda point: point >= 9, steps=16)
    runs = [
        LimitRun(number, point, vary.text(point), failed, int(failed), 0.5 + number / 100)
        for number, (point, failed) in enumerate(limit.trials, 1)
    ]
    draw(FoundLimit(("buy",), vary, limit, runs), str(tmp_path / "limit.svg"))
    text = (tmp_path / "limit.svg").read_text()
    assert "buy passes up to rate 4mbit" in text
    assert "rate (bit/s), from good to bad" in text
    marks = [len(re.findall("<use ", part)) for part in text.split('<g id="line2d')]
    assert sum(marks) >= len(runs)
