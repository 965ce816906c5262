"""What the process around the service is told, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from netweather.errors import NetweatherError
from netweather.service import LocalService
from netweather.service.callbacks import Callbacks
from tests.unit.service.conftest import may, slow


class Noted(Callbacks):
    """Remembers the calls. orders: what stands for what starts later."""

    def __init__(self, *orders: tuple[str, str]) -> None:
        self.calls: list[str] = []
        self.orders = orders

    @contextmanager
    def audited(self, caller: Any, action: str, conditions: Any = (), **fields: Any) -> Iterator[dict[str, Any]]:
        try:
            yield fields
        except NetweatherError as error:
            self.calls.append(f"{action} {error.code}")
            raise
        self.calls.append(f"{action} {fields.get('cleared', 'done')}")

    def changed(self, identity: str) -> None:
        self.calls.append("changed")

    def was_set(self, caller: Any, done: Any, *, renewed: bool) -> None:
        self.calls.append(f"{'renewed' if renewed else 'set'} by {caller.name}")

    def was_cleared(self, caller: Any, answers: Any, orders: Any) -> None:
        self.calls.append(f"cleared {sorted(orders)}")

    @contextmanager
    def orders_withdrawn(self, fits: Any, references: Collection[str]) -> Iterator[tuple[tuple[str, str], ...]]:
        self.calls.append("withdrawn")
        yield self.orders

    def scenario_changed(self, scenario: Any, kind: str, data: Any) -> None:
        self.calls.append(kind)


def test_of_a_set_and_a_clear(service: LocalService) -> None:
    noted = Noted()
    asks = replace(service, callbacks=noted)
    asks.set([slow("netns:a")])
    assert noted.calls == ["changed", "set done", "set by root"]
    noted.calls.clear()
    asks.clear(["netns:a"])
    ended = "clear [{'target': 'netns:a', 'names': ['default']}]"
    assert noted.calls == ["withdrawn", "changed", ended, "cleared [('netns:a', 'default')]"]
    noted.calls.clear()
    asks.clear()
    assert noted.calls == ["withdrawn", "clear []", "cleared []"]


def test_what_is_refused_is_in_the_log_and_nothing_else_is_told(service: LocalService) -> None:
    noted = Noted()
    asks = replace(service, callbacks=noted, caller=may("read", "set:netns:a"))
    for refused in (lambda: asks.set([slow("netns:b")]), lambda: asks.clear(["netns:b"])):
        with pytest.raises(NetweatherError):
            refused()
    assert noted.calls == ["set not-allowed", "clear not-allowed"]


def test_an_order_of_which_nothing_was_in_force_is_an_answer(service: LocalService) -> None:
    asks = replace(service, callbacks=Noted(("netns:gone", "slow"), ("netns:other", "slow")))
    assert [(each.target, each.names, each.problem) for each in asks.clear(["netns:gone"])] == [("netns:gone", ("slow",), None)]
