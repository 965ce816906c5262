"""testing/places.py: what is to be reached. Where commands really run: tests/kernel/testing/test_trials.py."""

from __future__ import annotations

import pytest

from netweather.errors import NetweatherError, UsageError
from netweather.host.enclosure import ReachedService
from netweather.testing.places import way


def test_a_service_elsewhere() -> None:
    assert way("198.51.100.7:5432") == ReachedService("", "198.51.100.7", 5432)
    assert way("localhost:80") == ReachedService("localhost", "127.0.0.1", 80)
    for words in ("db", "db:", ":80", "db:0", "db:65536", "db:http", "2001:db8::1:80"):
        with pytest.raises(UsageError, match="bad-reach"):
            way(words)
    with pytest.raises(NetweatherError, match="no IPv4 address"):
        way("nowhere.invalid:80")
