"""bpf/return by itself: what is not one of ours is dropped; that the rest arrives is in every test of a delay."""

from __future__ import annotations

from netweather.kernel.bpf import libbpf

SHOT = 2


def test_what_carries_no_line_is_dropped() -> None:
    loaded = libbpf.load(libbpf.built("return"))
    try:
        assert libbpf.test_run(loaded.programs["nw_return"], bytes(64))[0] == SHOT
    finally:
        loaded.close()
