"""docs/connections.md's commands through a real agent, on real connections: what is chosen ends, its neighbour lives."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from contextlib import ExitStack

import pytest

from tests.kernel.agent.conftest import PROGRAM, RealAgent
from tests.support.netns import Lab
from tests.support.repository import ROOT

PORT = 5432


def test_the_pages_commands(agent: RealAgent, net: Lab) -> None:
    page = (ROOT / "docs" / "connections.md").read_text()
    commands = [line for block in re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL) for line in block.splitlines()]
    assert [command.split()[1] for command in commands] == ["connections"] * 4 + ["set", "reset", "reset"]
    with ExitStack() as stack:
        listener = stack.enter_context(net.server.call(socket.create_server, (str(net.server.v4), PORT)))
        ends = []
        for _ in range(200):  # of which a tenth is some, for certain
            ends.append(stack.enter_context(net.client.call(socket.create_connection, (str(net.server.v4), PORT))))
            stack.enter_context(listener.accept()[0])
        first = ends[0]
        own = f"{net.client.v4}:{first.getsockname()[1]}-{net.server.v4}:{PORT}"
        assert watched(agent, *_words(net, own, commands.pop(3))) == [own] * 3
        said = [agent.cli(*_words(net, own, command)) for command in commands]
        assert said[0].count("established") == said[1].count("established") == 200
        assert said[4].startswith(f"reset {own} (tcp) of ")
        with pytest.raises(ConnectionAbortedError):
            first.recv(1)
        reset = said[5].count("reset ")
        assert 1 <= reset < 199
        assert agent.cli("connections", f"netns:{net.client.name}", "--state", "established").count("established") == 199 - reset
        assert [line["action"] for line in agent.audit()] == ["set", "reset", "reset"]


def watched(agent: RealAgent, *words: str) -> list[str]:
    """The connections of the first three seconds, until Ctrl-C."""
    with subprocess.Popen([*PROGRAM, *words], env=agent.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        found = [line.split()[0] for line in (process.stdout.readline() for _ in range(6)) if "established" in line]
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode == 0
    return found


def _words(net: Lab, own: str, command: str) -> list[str]:
    for word, here in (("docker:shop", net.client.name), ("docker:db", net.server.name)):
        command = command.replace(word, f"netns:{here}")
    return re.sub(r"198\.51\.100\.3:\d+-198\.51\.100\.4:5432", own, command).split()[1:]
