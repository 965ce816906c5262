from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from netweather.errors import NetweatherError
from netweather.kernel import namespaces
from netweather.kernel.datapath.plumbing import Plumbing, line_name, line_number
from netweather.kernel.datapath.spec import Interface, Line, RuleId
from netweather.kernel.netlink import links

LINE = Line(3, RuleId("a", 0), Interface("eth0", 2, 0), "egress", "pump", b"")


def test_the_ways_are_made_found_again_and_gone(make_lab: Any, tmp_path: Path) -> None:
    with make_lab() as net, namespaces.opened(net.client.path) as target:
        ways = Plumbing(target, tmp_path / "netns")
        assert ways.lines() == (frozenset(), frozenset(), ())
        ways.make_helper()
        ways.make_helper()
        ways.make_port("netweather: t")
        assert ways.port() is not None
        ways.close()
        again = Plumbing(target, tmp_path / "netns")
        os.close(again.open_line(3))
        again.connect_line(LINE)
        assert again.lines() == (frozenset({3}), frozenset(), ())
        again.set_entry(3, 0)
        assert again.lines() == (frozenset(), frozenset({3}), ())
        again.remove_line(3)
        again.remove_line(3)
        assert again.dropped() == 0
        again.remove_port()
        again.remove_helper()
        assert not again.mounted
        assert links.PORT not in target.run(links.names)


def test_a_line_without_a_port_is_told(make_lab: Any, tmp_path: Path) -> None:
    with make_lab() as net, namespaces.opened(net.client.path) as target:
        ways = Plumbing(target, tmp_path / "netns")
        ways.make_helper()
        try:
            with pytest.raises(NetweatherError, match="no-port"):
                ways.connect_line(LINE)
        finally:
            ways.remove_helper()


def test_names_and_numbers() -> None:
    device = links.Device(line_name(17), 3, 1, "tun", True, None, None, "", 1500, 0, 0, 0)
    assert line_number(device) == 17
