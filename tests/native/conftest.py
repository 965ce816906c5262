"""Compiling counts as part of the test that needs it first, and a cold compiler takes its time."""

from __future__ import annotations

import pytest

COMPILING = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(COMPILING))
