"""What a recorder attaches, and what it lacks; what it learns: tests/kernel/test_record.py."""

from __future__ import annotations

import os

import pytest

from netweather.errors import NetweatherError
from netweather.kernel.tracing import link_recorder, tracepoints
from netweather.kernel.tracing.link_recorder import Recorder, own_space
from tests.kernel.kernel.tracing.test_socket_counters import links_of
from tests.support.rig import until


def test_it_attaches_two_programs_and_takes_them_away() -> None:
    with Recorder(own_space()) as made:
        programs = {program.id for program in made._object.programs.values()}
        assert links_of(programs) == len(link_recorder.TRACEPOINTS)
        assert made.read().connections >= 0
    until(lambda: links_of(programs) == 0, 20, "nothing is attached any more")


def test_a_namespace_that_nobody_is_in_teaches_nothing() -> None:
    with Recorder(1) as made:
        learnt = made.read()
    assert (learnt.sent, learnt.connections, sum(learnt.first), sum(learnt.rates)) == (0, 0, 0, 0)


def test_a_kernel_without_its_tracepoint_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracepoints, "exists", lambda name: name != "tcp/tcp_probe")
    with pytest.raises(NetweatherError, match="no-tracepoints") as caught:
        Recorder(own_space())
    assert "tcp/tcp_probe" in caught.value.why


def test_the_own_namespace_is_that_of_this_process() -> None:
    assert own_space() == os.stat("/proc/self/ns/net").st_ino
