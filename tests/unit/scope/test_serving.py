"""Which ids and leases a plugin takes. The process itself: tests/e2e/scope."""

from __future__ import annotations

from pathlib import Path

import pytest

from netweather.errors import UsageError
from netweather.scope.serving import Wanted
from netweather.units import Duration


@pytest.mark.parametrize("id", ["traffic-control", "a", "Net7-weather-2"])
def test_its_socket_is_named_as_the_plugin(id: str) -> None:  # noqa: A002 - Scope's word
    assert Wanted(Duration(1), {}, Path("/p"), id).socket == Path(f"/p/{id}/{id}.sock")


@pytest.mark.parametrize("id", ["", "-a", "a-", "a--b", "a_b", "a.b", "a/b", "..", "a~b", "é"])
def test_ids_that_the_probe_refuses(id: str) -> None:  # noqa: A002 - Scope's word
    with pytest.raises(UsageError) as wrong:
        Wanted(Duration(1), {}, Path("/p"), id)
    assert wrong.value.code == "bad-plugin-id"


def test_a_lease_of_nothing_is_none() -> None:
    with pytest.raises(UsageError) as wrong:
        Wanted(Duration(0), {})
    assert wrong.value.code == "bad-lease"
