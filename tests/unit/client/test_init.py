"""What the package offers."""

from __future__ import annotations

import pytest

from netweather import client


def test_names_that_are_imported_late() -> None:
    assert client.AsyncClient.__name__ == "AsyncClient"
    with pytest.raises(AttributeError):
        client.Nothing  # noqa: B018 - it is looked up
