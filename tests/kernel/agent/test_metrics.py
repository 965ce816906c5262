"""The agent's figures of conditions and their targets are the kernel's own."""

from __future__ import annotations

import re
import subprocess

from tests.kernel.agent.conftest import RealAgent, condition
from tests.support.machine import SLOW
from tests.support.netns import Lab


def test_what_a_condition_met_is_counted(agent: RealAgent, net: Lab) -> None:
    with agent.client() as client:
        client.set([condition(f"netns:{net.client.name}", delay="5ms")])
        net.client.run("ping", "-c3", "-i0.2", str(net.server.v4))
        command = ["curl", "-s", "--unix-socket", str(agent.settings.socket), "http://agent/v1/metrics"]
        text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20 * SLOW).stdout
        (packets,) = re.findall(r'^netweather_condition_packets_total{.*name="slow".*} ([0-9.]+)$', text, re.MULTILINE)
        (shown,) = client.show()
        (sent,) = re.findall(r"^netweather_target_sent_bytes_total{.*} ([0-9.e+]+)$", text, re.MULTILINE)
        assert float(sent) >= 3 * 98, "three requests of 98 bytes each"
        assert 6 <= float(packets) <= sum(rule.packets for rule in shown.rules)  # three requests, three answers
        client.clear()
