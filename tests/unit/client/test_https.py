"""An agent elsewhere."""

from __future__ import annotations

import pytest

from netweather.client import Client
from netweather.client.https import Https, options
from netweather.errors import UsageError


def test_a_certificate_that_is_none() -> None:
    with pytest.raises(UsageError) as wrong:
        Client("https://192.0.2.1:8753", ca="/nowhere.pem")
    assert wrong.value.code == "bad-ca"


def test_a_token_is_sent() -> None:
    with Client("https://192.0.2.1:8753", token="secret") as client:
        assert isinstance(client._http, Https)
        assert options(client.where)["headers"] == {"Authorization": "Bearer secret"}
        assert "secret" not in repr(client)
