"""That a moved interface's programs are detached is in tests/kernel/test_moves.py."""

from __future__ import annotations

from netweather.kernel.bpf.hooks import best_hook
from netweather.kernel.datapath.moved_interfaces import detach_elsewhere
from tests.support.netns import lab


def test_nothing_is_attached_elsewhere() -> None:
    with lab() as net:
        status = net.client.path.stat()
        assert detach_elsewhere(best_hook(), [2**31 - 1], (status.st_dev, status.st_ino)) == []
