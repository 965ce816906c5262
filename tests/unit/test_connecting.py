"""The agent when there is one, else this process."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from netweather import connecting
from netweather.client import Client
from netweather.connecting import agent, connect
from netweather.errors import NetweatherError, UsageError
from netweather.host.unix_http import UnixHttp
from netweather.service import LocalService
from netweather.settings import Settings


def test_the_machines_own_agent(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path)
    assert agent(settings) is None
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(settings.socket))
        assert agent(settings) is None  # it has died
        listener.listen()
        found = connect(settings)
        assert isinstance(found, Client)
        assert found.where.address == f"unix://{settings.socket}"
        found.close()


def test_one_that_may_not_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: UnixHttp) -> None:
        raise PermissionError

    settings = Settings(state=tmp_path)
    settings.socket.touch()
    monkeypatch.setattr(UnixHttp, "connect", refused)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(NetweatherError) as wrong:
        connect(settings)
    assert wrong.value.code == "needs-root"


def test_direct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    settings = Settings(state=tmp_path, agent="https://192.0.2.1:8753")
    assert isinstance(connect(settings, direct=True), LocalService)


def test_one_that_is_named_is_the_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bad-agent-address"):
        connect(Settings(state=tmp_path, agent="http://192.0.2.1"))


def test_root_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(NetweatherError, match="needs root") as raised:
        connecting.need_root()
    assert "sudo" in raised.value.remedy
    monkeypatch.setattr("os.geteuid", lambda: 0)
    connecting.need_root()
