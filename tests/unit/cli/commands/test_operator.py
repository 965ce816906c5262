"""`netweather operator`: what it asks the operator for, and what is refused before."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from netweather.cli.commands import operator
from netweather.operator import running
from netweather.units import Percent
from tests.unit.cli.conftest import Run, World


def test_its_options(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(running, "run", asked.append)
    assert run("operator", "--lease-namespace", "netweather", "--protect", "a", "--protect", "b", "--most", "10%").code == 0
    (options,) = asked
    assert (options.namespace, options.policy.protected, options.policy.most) == ("netweather", {"a", "b"}, Percent.parse("10%"))
    run("operator")
    assert asked[1].policy.protected == {"kube-system"}


def test_a_share_that_is_none(run: Run, world: World) -> None:
    assert "[bad-percent]" in run("operator", "--most", "many").err


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("no", name="kr8s")

    monkeypatch.setattr(operator.importlib, "import_module", missing)
    with pytest.raises(Exception, match="no-kubernetes-extra"):
        operator.command.main([], standalone_mode=False)
    assert importlib
