"""What only the real target can show; the rest is in tests/contract."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from netweather.kernel.datapath.real import RealTarget
from netweather.kernel.datapath.spec import MAX_LEASES


def test_an_untouched_target(make_lab: Any, tmp_path: Path) -> None:
    with make_lab() as net:
        fd = os.open(net.client.path, os.O_RDONLY)
        try:
            with RealTarget(fd, tmp_path) as target:
                observed = target.observe()
                assert [name for name, _ in observed.interfaces] == ["eth0"]
                assert observed.classifier is None
                assert not observed.alive
                assert not observed.pump
                assert len(observed.leases) in (0, MAX_LEASES)
                assert target.counters([3]) == {3: (0, 0, 0)}
                assert target.unwanted_drops() == 0
                assert target.pump_process() is None
        finally:
            os.close(fd)


def test_closing_twice_is_no_error(make_lab: Any, tmp_path: Path) -> None:
    with make_lab() as net:
        fd = os.open(net.client.path, os.O_RDONLY)
        target = RealTarget(fd, tmp_path)
        os.close(fd)
        target.observe()
        target.close()
        target.close()
