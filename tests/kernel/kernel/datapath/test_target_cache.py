from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netweather.conditions import Condition, Delay
from netweather.kernel.datapath.operations import WriteRules
from netweather.kernel.datapath.real import RealTarget
from netweather.kernel.datapath.seam import TargetKernel
from netweather.kernel.datapath.spec import NEVER, Action, Datapath, FlatRule, Interface, Line, Observed, RuleId
from netweather.kernel.datapath.target_cache import KeptTargets
from netweather.lines.pump_line import line_parameters
from netweather.planning.plan import plan
from netweather.units import Duration

PLACES = frozenset({(0, 0), (0, 1)})


class Place:
    """A target, its directory, and a pool that keeps it."""

    def __init__(self, fd: int, directory: Path) -> None:
        self.fd, self.directory, self.kept = fd, directory, KeptTargets()
        with self.kept(fd, directory) as kernel:
            self.eth0 = Interface("eth0", dict(kernel.observe().interfaces)["eth0"], 0)

    def delaying(self, milliseconds: int) -> Datapath:
        condition = Condition(delay=Delay(Duration(milliseconds * 10**6)))
        line = Line(0, RuleId("t", 0), self.eth0, "egress", "pump", *line_parameters(condition, "egress"))
        rule = FlatRule(Action.LINE, 0, 0, PLACES, lines=(((0, 0), 0),), heartbeat=True)
        return Datapath((self.eth0,), (line,), (rule,), (NEVER,), "netweather: t")

    def blocking(self) -> Datapath:
        return Datapath((self.eth0,), (), (FlatRule(Action.DROP, 0, 0, PLACES),), (NEVER,), "netweather: t")

    def become(self, open_it: Callable[[int, Path], TargetKernel], desired: Datapath) -> Observed:
        with open_it(self.fd, self.directory) as kernel:
            operations = plan(desired, kernel.observe())
            for operation in operations:
                kernel.apply(operation)
            for operation in operations:
                if isinstance(operation, WriteRules):
                    assert kernel.differences(operation) == []
            return kernel.observe()


@pytest.fixture
def place(make_lab: Any, tmp_path: Path) -> Iterator[Place]:
    with make_lab() as net:
        fd = os.open(net.client.path, os.O_RDONLY)
        made = Place(fd, tmp_path)
        try:
            yield made
        finally:
            made.become(RealTarget, Datapath())
            made.kept.close()
            os.close(fd)


def test_the_same_one_is_given_again(place: Place) -> None:
    with place.kept(place.fd, place.directory) as first:
        pass
    with place.kept(place.fd, place.directory) as again, place.kept(place.fd, place.directory) as besides:
        assert again is first
        assert besides is not first


def test_after_a_failure_it_is_opened_anew(place: Place) -> None:
    with pytest.raises(RuntimeError), place.kept(place.fd, place.directory) as first:
        raise RuntimeError
    with place.kept(place.fd, place.directory) as again:
        assert again is not first


def test_what_somebody_else_has_made_anew_is_found(place: Place) -> None:
    """The namespace, the port with its programs, the pump's file and the classifier: all of them others than before."""
    place.become(place.kept, place.delaying(10))
    place.become(RealTarget, Datapath())
    place.become(RealTarget, place.delaying(20))
    observed = place.become(place.kept, place.delaying(30))
    assert observed == place.become(RealTarget, place.delaying(30))
    assert (observed.lines, observed.port, observed.pump) == ({0}, True, True)


def test_devices_that_somebody_took_away_are_missed(place: Place) -> None:
    place.become(place.kept, place.delaying(10))
    place.become(RealTarget, place.blocking())
    with place.kept(place.fd, place.directory) as kernel:
        observed = kernel.observe()
    assert (observed.helper, observed.port, observed.lines) == (False, False, frozenset())
    assert observed.attached == {"eth0"}


def test_what_is_dropped_or_too_much_is_held_no_more(place: Place, tmp_path: Path) -> None:
    def held() -> int:
        return len(os.listdir("/proc/self/fd"))

    place.kept.close()
    before = held()
    with place.kept(place.fd, place.directory):
        pass
    assert held() > before
    place.kept.drop(place.directory)
    assert held() == before
    few = KeptTargets(1)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        with few(place.fd, tmp_path / name):
            pass
    with_one = held()
    few.close()
    assert before < with_one < before + 2 * (with_one - before)
    assert held() == before


def test_a_directory_that_is_gone_is_not_kept(place: Place, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    before = len(os.listdir("/proc/self/fd"))
    with place.kept(place.fd, gone):
        gone.rmdir()
    assert len(os.listdir("/proc/self/fd")) == before


def test_one_that_was_dropped_between_two_closings_is_given_to_nobody(place: Place) -> None:
    """The engine closes what it has unmade, and closes it again on its way out; the agent lets the target go in between.

    By then the directory may belong to a restarted container, whose namespace got the same inode.
    """
    first = place.kept(place.fd, place.directory)
    first.close()
    place.kept.drop(place.directory)
    first.close()
    with place.kept(place.fd, place.directory) as second:
        assert second is not first
        assert ("eth0", place.eth0.ifindex) in second.observe().interfaces
