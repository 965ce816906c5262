from __future__ import annotations

from netweather.kernel.waiting import pause, until


def test_until_returns_as_soon_as_it_holds() -> None:
    tries = iter([False, False, True])
    assert until(lambda: next(tries), 5, 0.001)


def test_until_gives_up() -> None:
    assert not until(lambda: False, 0.01, 0.001)


def test_a_pause_ends() -> None:
    pause(0)
