"""cli/wording.py: `show` and `verify` put beside each rule what its connections live through; through an agent as well."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.kernel.agent.conftest import PROGRAM, RealAgent
from tests.support.machine import SLOW
from tests.support.rig import Rig


@pytest.fixture(params=["direct", "agent"])
def environment(request: pytest.FixtureRequest, rig: Rig) -> Iterator[dict[str, str]]:
    agent = RealAgent(rig.state)
    if request.param == "agent":
        agent.start()
    try:
        yield agent.environment
    finally:
        if request.param == "agent":
            agent.stop()


def test_beside_each_rule(rig: Rig, environment: dict[str, str]) -> None:
    def netweather(*words: str) -> str:
        done = subprocess.run([*PROGRAM, *words], env=environment, capture_output=True, text=True, timeout=50 * SLOW, check=False)
        # Few samples prove little, and a machine that stands still for a while is late: what verify proves is not tested here.
        assert done.returncode in ((0, 1, 3) if words[0] == "verify" else (0,)), done.stdout + done.stderr
        return done.stdout

    target, peer = rig.target.reference, f"netns:{rig.net.server.name}"
    with (
        closing(rig.net.server.call(socket.create_server, (str(rig.net.server.v4), 5432))) as listener,
        closing(rig.net.client.call(socket.create_connection, (str(rig.net.server.v4), 5432))) as here,
        closing(listener.accept()[0]) as there,
    ):
        talk(here, there)
        netweather("set", target, "--to", peer, "--delay", "40ms", "--name", "slow", "--for", "1m")
        talk(here, there)
        said = netweather("show", target)
        found = re.search(r"'slow' rule 1: 1 connection, RTT ([0-9.]+) ms → ([0-9.]+) ms, 0 segments retransmitted", said)
        assert found, said
        assert float(found[1]) < 40 < float(found[2])
        (shown,) = json.loads(netweather("show", target, "--json"))
        lived: dict[str, Any] = shown["status"]["rules"][0]["experienced"]
        assert lived["connections"] == {"now": 1, "fromBefore": 1}
        assert lived["rttSeconds"]["before"] < 0.04 < lived["rttSeconds"]["now"]
        proof = json.loads(netweather("verify", target, "--peer", peer, "--samples", "50", "--json"))
        assert [each["rule"] for each in proof["experienced"]] == [0]
        assert "'slow' rule 1: 1 connection, RTT" in netweather("verify", target, "--peer", peer, "--samples", "50")
        netweather("clear", target)


def talk(here: socket.socket, there: socket.socket) -> None:
    for _ in range(12):
        here.sendall(b"x" * 100)
        there.recv(100)
        there.sendall(b"y")
        here.recv(1)
