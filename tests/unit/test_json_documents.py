"""Times in JSON; the rest is tested where it is printed (set, show)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from netweather import json_documents as status

NOW = datetime(2026, 7, 1, 12, 0, 0, 400_000, tzinfo=timezone(timedelta(hours=2)))


def test_the_end_of_a_lease_is_in_utc_and_does_not_flicker() -> None:
    assert status._lease(600 * 10**9, NOW) == {"expiresAt": "2026-07-01T10:10:00Z", "remainingSeconds": 600.0}
    later = NOW.astimezone(UTC) + timedelta(seconds=10.03)
    assert status._lease(600 * 10**9 - 10_030_000_000, later)["expiresAt"] == "2026-07-01T10:10:00Z"


def test_for_ever_has_no_end() -> None:
    assert status._lease(None, NOW) == {"expiresAt": None, "remainingSeconds": None}


def test_one_document_or_a_list() -> None:
    assert status.listed([{"a": 1}]) == {"a": 1}
    assert status.listed([{"a": 1}, {"b": 2}]) == {"apiVersion": "v1", "kind": "List", "items": [{"a": 1}, {"b": 2}]}
