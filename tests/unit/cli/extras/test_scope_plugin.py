"""`netweather scope-plugin`: what is refused before anything is started, and what becomes a button."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netweather.cli.extras import scope_plugin
from netweather.scope import plugin_process
from netweather.service import LocalService
from tests.unit.cli.conftest import Run, World


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """What would have been served."""
    found: list[Any] = []
    monkeypatch.setattr(plugin_process, "run", lambda settings, service, wanted: found.append((settings, service, wanted)))
    return lambda: found[-1]


def test_what_it_serves(run: Run, world: World, served: Callable[[], Any]) -> None:
    assert run("scope-plugin").code == 0
    _, service, wanted = served()
    assert isinstance(service, LocalService)
    assert (str(wanted.lease), len(wanted.profiles)) == ("10m", 30)
    assert wanted.socket == Path("/var/run/scope/plugins/traffic-control/traffic-control.sock")
    assert run("scope-plugin", "--for", "2m", "--profile", "satellite", "--profile", "3g", "--root", "/p", "--id", "x").code == 0
    _, _, wanted = served()
    assert (str(wanted.lease), wanted.steps, str(wanted.socket)) == ("2m", ("geo-satellite", "3g"), "/p/x/x.sock")
    assert (len(wanted.profiles), wanted.panel, wanted.before_1_13) == (30, (), False)
    assert run("scope-plugin", "--control", "clear", "--control", "end-all", "--before-1.13").code == 0
    _, _, wanted = served()
    assert (wanted.panel, wanted.before_1_13) == (("clear", "end-all"), True)


def test_own_profiles_have_controls_too(
    run: Run, world: World, served: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.yaml").write_text("office: {both: {rtt: 20ms}}")
    monkeypatch.setenv("NETWEATHER_PROFILES", str(tmp_path / "own.yaml"))
    assert run("scope-plugin").code == 0
    assert "office" in served()[2].profiles


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--for", "forever"], "bad-duration"),
        (["--for", "0s"], "bad-lease"),
        (["--profile", "nothing-like-it"], "unknown-profile"),
        (["--id", "a_b"], "bad-plugin-id"),
    ],
)
def test_what_is_refused(run: Run, world: World, served: Callable[[], Any], words: list[str], code: str) -> None:
    outcome = run("scope-plugin", *words)
    assert (outcome.code, f"[{code}]" in outcome.err) == (2, True), outcome.err


def test_without_the_extra(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = importlib.import_module

    def missing(name: str) -> Any:
        if name == "netweather.scope.plugin_process":
            raise ModuleNotFoundError("no", name="starlette")
        return plain(name)

    monkeypatch.setattr(scope_plugin.importlib, "import_module", missing)
    assert "[no-scope-extra]" in run("scope-plugin").err


def test_without_root(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "[needs-root]" in run("scope-plugin").err
