"""`netweather agent`: what is refused before anything is started."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from netweather.cli.commands import agent
from tests.unit.cli.conftest import Run, World


def test_tcp_without_tls(run: Run, world: World) -> None:
    outcome = run("agent", "--listen", "127.0.0.1:8753")
    assert (outcome.code, "[tls-needed]" in outcome.err) == (2, True)


def test_tokens_that_are_not_there(run: Run, world: World, tmp_path: Path) -> None:
    assert "[bad-tokens]" in run("agent", "--tokens", str(tmp_path / "none")).err


def test_without_the_extra(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("no", name="uvicorn")

    monkeypatch.setattr(agent.importlib, "import_module", missing)
    with pytest.raises(Exception, match="has no agent"):
        agent.command.main([], standalone_mode=False)
    assert importlib


@pytest.mark.parametrize("word", ["agent", "netweather/", "/agent"])
def test_a_daemonset_that_is_none(run: Run, world: World, word: str) -> None:
    outcome = run("agent", "--kubernetes", "node-1", "--daemonset", word)
    assert (outcome.code, "[bad-daemonset]" in outcome.err) == (2, True)


def test_without_root(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "[needs-root]" in run("agent").err
