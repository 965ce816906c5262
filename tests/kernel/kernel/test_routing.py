from __future__ import annotations

from netweather.kernel.routing import ways_out
from tests.support.netns import lab


def test_the_way_to_each_address() -> None:
    with lab() as net:
        index = int(net.client.run("cat", "/sys/class/net/eth0/ifindex").stdout)
        found = net.client.call(ways_out, ["192.0.2.2", "2001:db8::2", "203.0.113.1", "127.0.0.1"])
        assert found == {"192.0.2.2": index, "2001:db8::2": index, "127.0.0.1": 1}
