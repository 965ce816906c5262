from __future__ import annotations

from typing import Any

import pytest

from netweather.agent.paths import paths_of, refuse_paths, refuse_references
from netweather.conditions import load
from netweather.errors import NetweatherError


@pytest.mark.parametrize(
    "spec",
    [
        {"targets": ["netns:/run/netns/a"]},
        {"rules": [{"to": ["netns:/run/netns/a"], "condition": {"loss": "1%"}}]},
        {"exclude": [{"to": ["netns:/run/netns/a"]}]},
        {"rules": [{"condition": {"trace": "./a.trace"}}]},
        {"rules": [{"condition": {"delay": {"time": "1s", "jitter": "1ms", "distribution": "/etc/passwd"}}}]},
    ],
)
def test_what_is_a_path(spec: dict[str, Any]) -> None:
    condition = load({"targets": ["netns:a"], **spec})
    assert paths_of(condition)
    with pytest.raises(NetweatherError):
        refuse_paths(condition)


def test_what_is_none() -> None:
    refuse_paths(load({"targets": ["netns:a"], "rules": [{"to": ["docker:db", "192.0.2.0/24"], "condition": {"loss": "1%"}}]}))
    refuse_references(["netns:a", "compose:shop/web"])
    with pytest.raises(NetweatherError):
        refuse_references(["netns:a", "netns:/a"])
