from __future__ import annotations

import re

import pytest

from netweather.conditions.profiles import PROFILES


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_each_says_where_its_figures_come_from(name: str) -> None:
    data = PROFILES[name]
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", name)
    assert data["source"]
    if data["source"] == "by definition":
        figures = re.findall(r"\d", str({key: data.get(key) for key in ("both", "up", "down")}))
        assert not figures or "ours" in data["notes"]
