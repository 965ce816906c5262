from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netweather.demo.interrupt import Interrupts
from netweather.demo.processes.launcher import Child
from netweather.errors import NetweatherError


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    with Interrupts() as made:
        yield made


def test_a_process_that_fails_says_why(interrupts: Interrupts) -> None:
    """Here are no addresses of the demo's; without root it can't even enter."""
    child = Child("payment", Path("/proc/self/ns/net"), interrupts)
    try:
        with pytest.raises(NetweatherError) as caught:
            child.ready()
    finally:
        child.stop()
    assert caught.value.code == "demo-failed"
    assert "payment" in caught.value.what
    assert "OSError" in caught.value.why or "PermissionError" in caught.value.why
    assert not child.running


def test_stopping_it_twice_is_no_error(interrupts: Interrupts) -> None:
    child = Child("payment", Path("/proc/self/ns/net"), interrupts)
    child.stop()
    child.stop()
    with pytest.raises(ValueError, match="closed"):
        child.send("ledger")
