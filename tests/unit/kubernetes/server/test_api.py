"""The API's client without a server; with one: tests/e2e/kubernetes/test_api.py."""

from __future__ import annotations

import asyncio
import sys

import pytest

from netweather.errors import NetweatherError
from netweather.kubernetes.server.api import Api


def test_who_has_not_installed_the_extra_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kr8s", None)
    with pytest.raises(NetweatherError) as caught:
        asyncio.run(Api.connect())
    assert (caught.value.code, caught.value.remedy) == ("no-kubernetes-extra", "install netweather[kubernetes]")
    assert "kr8s" in caught.value.why
