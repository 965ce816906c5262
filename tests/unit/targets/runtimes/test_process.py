from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

from netweather.errors import NetweatherError
from netweather.targets.references import parse
from netweather.targets.runtimes.process import RUNTIME


def test_a_process_is_a_target_with_its_name() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        (target,) = RUNTIME.open(parse(f"pid:{child.pid}"))
    finally:
        child.kill()
        child.wait()
    with target:
        own = os.stat("/proc/self/ns/net")
        assert (target.dev, target.ino) == (own.st_dev, own.st_ino)
        assert (target.name, target.pid, target.path, target.runtime) == (f"sleep[{child.pid}]", child.pid, None, "pid")


def test_no_process_no_target(refused: Callable[[Callable[[], object]], NetweatherError]) -> None:
    error = refused(lambda: RUNTIME.open(parse("pid:4194305")))
    assert error.code == "unknown-target"
    assert error.exit_code == 1


def test_processes_are_not_listed() -> None:
    assert RUNTIME.listings() == []
