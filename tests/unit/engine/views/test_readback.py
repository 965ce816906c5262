"""Reading back, over the fake kernel and over a file of the pump's; real lines: tests/kernel/test_broken.py, test_netemways.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from netweather.conditions import Condition, Delay, Match, NetworkCondition, Rule
from netweather.engine import Engine
from netweather.engine.views import readback
from netweather.kernel import keeper_process
from netweather.kernel.datapath.fake import FakeKernel, FakeTarget
from netweather.kernel.datapath.pump_file import ParamsFile
from netweather.kernel.datapath.spec import Interface, Line, LineCounts, RuleId
from netweather.kernel.features import features
from netweather.kernel.netlink.netem_attributes import unpack
from netweather.lines.params import LineParams
from netweather.settings import Settings
from netweather.targets import Target
from netweather.units import Duration

DELAY = NetworkCondition(rules=(Rule(Match(direction="egress"), Condition(delay=Delay(Duration(10**8)))),))
Bench = tuple[Engine, FakeKernel, Target]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A kernel with netem."""
    kernel = FakeKernel()
    found = {f.name: features.Finding(f, "yes", "there") for f in features.FEATURES}
    monkeypatch.setattr(features, "_known", found)
    monkeypatch.setattr(keeper_process, "ensure", lambda *_: None)
    engine = Engine(Settings(state=tmp_path / "state"), lambda *_: FakeTarget(kernel))
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    status = os.fstat(fd)
    with Target("netns:test", "test", fd, status.st_dev, status.st_ino, None, "/proc/self/ns/net", "netns") as target:
        engine.set(target, DELAY)
        yield engine, kernel, target


def test_netem_is_read_back_field_by_field(bench: Bench) -> None:
    engine, kernel, target = bench
    held = readback.read_back(engine, target)
    assert held.problems == ()
    (line,) = held.plain["lines"]
    assert line["engine"] == "netem"
    assert line["requested"] == line["held"]
    assert line["held"]["latency_ns"] == 10**8
    asked = kernel.lines[0]
    kernel.lines[0] = replace(asked, parameters=replace(unpack(asked.parameters), latency_ns=10**7).pack())
    held = readback.read_back(engine, target)
    assert held.problems == ("emulated link 0 (egress of eth0): latency_ns: requested 100000000, found 10000000",)
    assert not held.broken
    assert held.plain["lines"][0]["held"]["latency_ns"] == 10**7


def test_a_full_queue_that_nobody_asked_for_is_unwanted(bench: Bench) -> None:
    engine, kernel, target = bench
    kernel.counted = {0: LineCounts(dropped=12, queue=12)}
    (shown,) = engine.show(target)
    assert (shown.unwanted_drops, shown.queue_drops) == (12, 0)


def test_a_full_queue_that_a_limit_asks_for_is_not(bench: Bench) -> None:
    from netweather.units import Packets

    engine, kernel, target = bench
    limited = replace(DELAY.rules[0], condition=replace(DELAY.rules[0].condition, limit=Packets(50)))
    engine.set(target, replace(DELAY, rules=(limited,)))
    kernel.counted = {0: LineCounts(dropped=12, queue=12)}
    (shown,) = engine.show(target)
    assert (shown.unwanted_drops, shown.queue_drops) == (0, 12)


def test_other_rules_than_those_written(bench: Bench) -> None:
    engine, kernel, target = bench
    attached = kernel.attached["eth0"]
    attached.leases = (1,)  # the digest does not tell them
    assert readback.read_back(engine, target).problems == ("the rule set",)


def test_nothing_is_in_force(bench: Bench) -> None:
    engine, _, target = bench
    engine.clear(target)
    held = readback.read_back(engine, target)
    assert held.broken
    assert held.problems == ("nothing of it is in force",)


def line(params: LineParams) -> Line:
    return Line(0, RuleId("default", 0), Interface("eth0", 2, 0), "egress", "pump", params.pack())


def test_a_pump_line_is_read_back_field_by_field(tmp_path: Path) -> None:
    with ParamsFile(tmp_path / "params") as file:
        file.write_line(0, LineParams(delay_ns=130).pack(), {})
        found = readback.pump_differences(line(LineParams(delay_ns=100)), file)
        assert found[0] == "delay_ns is 130, 100 was requested"
        assert "the pump has not taken its parameters" in found
        assert not any("delay" in text for text in readback.pump_differences(line(LineParams(delay_ns=130)), file))
