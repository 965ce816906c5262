"""bpf/steer and bpf/return by themselves: what is not one of ours, or has nowhere to go, is dropped."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from netweather.kernel.bpf import libbpf

SHOT, REDIRECT = 2, 7


@pytest.fixture
def steer() -> Iterator[libbpf.BpfObject]:
    loaded = libbpf.load(libbpf.built("steer"))
    yield loaded
    loaded.close()


def test_what_carries_no_line_is_dropped(steer: libbpf.BpfObject) -> None:
    assert libbpf.test_run(steer.programs["nw_steer"], bytes(64))[0] == SHOT


def test_an_exit_without_a_line_drops(steer: libbpf.BpfObject) -> None:
    assert libbpf.test_run(steer.programs["nw_exit"], bytes(64))[0] == SHOT


def test_an_exit_hands_back_what_came_out_of_its_line(steer: libbpf.BpfObject) -> None:
    steer.maps["exits"].update(struct.pack("=I", 1), struct.pack("=I", 5))  # a test run comes from lo, index 1
    assert libbpf.test_run(steer.programs["nw_exit"], bytes(64))[0] == REDIRECT
