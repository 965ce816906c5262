"""What a caller may name, do and enter."""

from __future__ import annotations

from typing import Any

import pytest

from netweather.conditions import load
from netweather.errors import NetweatherError
from netweather.service.callers import DIRECT, Caller, files_of
from tests.support.world import World

CI = Caller("ci", frozenset({"read", "set:netns:a"}))


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
    assert files_of(condition)
    with pytest.raises(NetweatherError) as wrong:
        CI.need_no_files([condition])
    assert wrong.value.code == "path-refused"
    DIRECT.need_no_files([condition])


def test_what_is_none() -> None:
    rules = [{"to": ["docker:db", "192.0.2.0/24"], "condition": {"loss": "1%"}}]
    CI.need_no_files([load({"targets": ["netns:a"], "rules": rules})], ["netns:a", "compose:shop/web"])


@pytest.mark.parametrize("word", ["netns:/a", " netns:/a", "\tnetns:/a"])
def test_a_blank_hides_no_path(word: str) -> None:
    with pytest.raises(NetweatherError) as wrong:
        CI.need_no_files((), ["netns:a", word])
    assert wrong.value.code == "path-refused"


def test_which_targets_may_be_changed(world: World) -> None:
    (a,), (b,), (host,) = (world.resolve([each]) for each in ("netns:a", "netns:b", "host"))
    with a, b, host:
        assert [CI.may_change([each]) for each in (a, b, host)] == [True, False, False]
        assert not CI.may_change([a, b])
        assert Caller("all", frozenset({"set"})).may_change([a, b])
        assert not Caller("all", frozenset({"set"})).may_change([host])
        assert DIRECT.may_change([a, b, host])


def test_who_may_read_is_not_asked_for_peers() -> None:
    """Nothing is resolved, so nothing takes time: most callers may read."""
    condition = load({"targets": ["netns:a"], "rules": [{"to": ["netns:nowhere"], "condition": {"loss": "1%"}}]})
    CI.need_peers([condition])
    with pytest.raises(NetweatherError) as wrong:
        Caller("x", frozenset({"set:netns:a"})).need_peers([condition])
    assert wrong.value.code == "unknown-target"
