from __future__ import annotations

import socket

import pytest

from netweather.kernel.netlink import links
from netweather.kernel.netlink.links import way_out, ways_out
from tests.support.netns import lab


def test_the_way_to_each_address() -> None:
    with lab() as net:
        index = int(net.client.run("cat", "/sys/class/net/eth0/ifindex").stdout)
        found = net.client.call(ways_out, ["192.0.2.2", "2001:db8::2", "203.0.113.1", "127.0.0.1"])
        assert found == {"192.0.2.2": index, "2001:db8::2": index, "127.0.0.1": 1}


def test_routes_and_rules_send_single_ports_elsewhere() -> None:
    with lab() as net:

        def inside() -> tuple[tuple[int, str], tuple[int, str]]:
            links.add_route("203.0.113.1", "192.0.2.2")
            links.add_route("203.0.113.9", "192.0.2.2", source="192.0.2.1", table=77)
            links.add_rule(50, 77, "203.0.113.9")
            found = way_out("203.0.113.1"), way_out("203.0.113.9")
            links.add_rule(60, 77, "203.0.113.7", socket.IPPROTO_TCP, 80)
            with pytest.raises(FileExistsError):
                links.add_rule(60, 77, "203.0.113.7", socket.IPPROTO_TCP, 80)
            return found

        assert [hop for _, hop in net.client.call(inside)] == ["192.0.2.2"] * 2
        rules = net.client.run("ip", "rule").stdout
        assert "to 203.0.113.7 ipproto tcp dport 80 lookup 77" in rules
        net.client.call(links.delete_rule, 60, 77, "203.0.113.7", socket.IPPROTO_TCP, 80)
        net.client.call(links.delete_rule, 50, 77, "203.0.113.9")
        assert "lookup 77" not in net.client.run("ip", "rule").stdout
        assert "203.0.113.9 via 192.0.2.2" in net.client.run("ip", "route", "show", "table", "77").stdout
