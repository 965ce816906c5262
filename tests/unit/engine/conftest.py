"""One target over the FakeKernel, and an engine of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from netweather.conditions import Condition, Delay, Match, NetworkCondition, Rule
from netweather.engine import Engine
from netweather.kernel import keeper_process
from netweather.kernel.datapath.fake import FakeKernel, FakeTarget
from netweather.settings import Settings
from netweather.targets import Target
from netweather.units import Duration

DELAY = Condition(delay=Delay(Duration(10**8)))
EGRESS = Match(direction="egress")


@dataclass
class Bench:
    engine: Engine
    kernel: FakeKernel
    target: Target

    def set(self, *rules: Rule, **fields: object) -> None:
        self.engine.set(self.target, condition(*rules, **fields))


def condition(*rules: Rule, **fields: object) -> NetworkCondition:
    return NetworkCondition(rules=rules or (Rule(EGRESS, DELAY),), **fields)  # type: ignore[arg-type]  # of the test's own


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    kernel = FakeKernel()
    monkeypatch.setattr(keeper_process, "ensure", lambda *_: None)
    engine = Engine(Settings(state=tmp_path / "state"), lambda *_: FakeTarget(kernel))
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    status = os.fstat(fd)
    with Target("netns:test", "test", fd, status.st_dev, status.st_ino, None, "/proc/self/ns/net", "netns") as target:
        yield Bench(engine, kernel, target)
