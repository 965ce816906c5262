"""testing/network.py from Python itself, without pytest: what `degrade` puts in force, tells and takes back."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import Any

import pytest

from netweather.errors import NetweatherError, UsageError
from netweather.results import TargetRef
from netweather.service import LocalService
from netweather.testing import Evidence, Network
from tests.support.rig import Rig

SERVER = "192.0.2.2"


def rtt(rig: Rig, address: str = SERVER) -> float | None:
    said = subprocess.run(
        ["ip", "netns", "exec", rig.net.client.name, "ping", "-c", "2", "-i", "0.02", "-W", "2", address],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    times = [float(line.split("time=")[1].split()[0]) for line in said.splitlines() if "time=" in line]
    return min(times, default=None)


def test_in_force_inside_and_gone_outside(rig: Rig) -> None:
    told: list[Evidence] = []
    network = Network("a story", targets=(rig.target.reference,), service=LocalService(rig.engine), tell=told.append)
    with network.degrade(delay="40ms", direction="egress"):
        shown = rig.shown()
        assert (shown.in_force, shown.condition.reason) == (True, "a story")
        assert (rtt(rig) or 0) >= 40
    rig.until_nothing_remains()
    (evidence,) = told
    assert (evidence.packets, evidence.dropped, evidence.problems) == (2, 0, [])


def test_two_at_once_on_one_target_do_not_wait_for_each_other(rig: Rig) -> None:
    network = Network("a story", targets=(rig.target.reference,), service=LocalService(rig.engine))
    with network.degrade(to=SERVER, delay="40ms", direction="egress"):
        with network.degrade(to="2001:db8::2", delay="80ms", direction="egress"):
            assert len(rig.engine.show(rig.target)) == 2
            assert (rtt(rig) or 0) >= 40
            assert (rtt(rig, "2001:db8::2") or 0) >= 80
        assert len(rig.engine.show(rig.target)) == 1


def test_dropped_packets_are_counted_over_changes(rig: Rig) -> None:
    network = Network("a story", targets=(rig.target.reference,), service=LocalService(rig.engine))
    with network.degrade(block="drop", direction="egress") as bad:
        assert rtt(rig) is None
        bad.change(loss="100%")
        assert rtt(rig) is None
        bad.change(delay="1ms")
        assert rtt(rig) is not None
        assert bad.packets == 6


def test_what_the_code_inside_raises_comes_out_and_all_is_undone(rig: Rig) -> None:
    network = Network("a story", targets=(rig.target.reference,), service=LocalService(rig.engine))
    with pytest.raises(KeyboardInterrupt), network.degrade(delay="1ms"):
        raise KeyboardInterrupt
    rig.until_nothing_remains()


def test_a_target_that_is_not_there_changes_nothing(rig: Rig) -> None:
    network = Network("a story", service=LocalService(rig.engine))
    with pytest.raises(NetweatherError, match="nowhere"), network.degrade([rig.target.reference, "netns:nowhere"], delay="1ms"):
        pass
    with pytest.raises(UsageError, match="missing-target"):
        network.degrade(delay="1ms")
    rig.until_nothing_remains()


def test_a_target_is_looked_up_once_and_again_when_it_is_another(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    service = LocalService(rig.engine)
    plain = service.set

    def counted(*words: Any, **options: Any) -> Any:
        asked.append(options.get("dry_run", False))
        return plain(*words, **options)

    monkeypatch.setattr(service, "set", counted)
    known: dict[tuple[str, ...], list[TargetRef]] = {}
    network = Network("a story", targets=(rig.target.reference,), service=service, known=known)
    for _ in range(2):
        with network.degrade(delay="40ms", direction="egress"):
            assert (rtt(rig) or 0) >= 40
    assert asked == [True, False, False]
    known[rig.target.reference,] = [
        replace(whose, ino=whose.ino + 1) for whose in known[rig.target.reference,]
    ]  # started anew since
    with network.degrade(delay="40ms", direction="egress") as bad:
        assert (rtt(rig) or 0) >= 40
    assert bad.evidence[0].problems == []
    rig.until_nothing_remains()
