"""Partitions through a real agent, on real packets: who still hears whom, and docs/partitions.md's commands."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.kernel.agent.conftest import RealAgent
from tests.support.netns import Lab, Namespace, lab
from tests.support.repository import ROOT
from tests.support.rig import until

PORT = 7000


@pytest.fixture
def three() -> Iterator[Lab]:
    with lab(bystander=True) as made:
        yield made


class Mesh:
    """A UDP socket in each namespace, by a letter."""

    def __init__(self, stack: ExitStack, net: Lab) -> None:
        self.places: dict[str, Namespace] = dict(zip("abc", net.namespaces, strict=True))
        self.sockets = {}
        for letter, place in self.places.items():
            made = stack.enter_context(place.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM))
            made.bind((str(place.v4), PORT))
            made.settimeout(0.15)
            self.sockets[letter] = made

    def name(self, letters: str) -> str:
        return ",".join(f"netns:{self.places[letter].name}" for letter in letters)

    def drain(self) -> None:
        """Forgets what came before."""
        for made in self.sockets.values():
            made.settimeout(0.15)
            with suppress(TimeoutError):
                while made.recv(10):
                    pass

    def heard(self) -> set[str]:
        """ "ab": b hears a."""
        found = set()
        for one in self.places:
            for other, place in self.places.items():
                if one != other:
                    self.sockets[one].sendto(one.encode(), (str(place.v4), PORT))
        for other, made in self.sockets.items():
            try:
                while True:
                    found.add(made.recv(10).decode() + other)
            except TimeoutError:
                continue
        return found


@pytest.fixture
def mesh(three: Lab) -> Iterator[Mesh]:
    with ExitStack() as stack:
        yield Mesh(stack, three)


ALL = {"ab", "ba", "ac", "ca", "bc", "cb"}


CASES = [
    (("a", "b"), (), {"ab", "ba"}),
    (("ab", "c"), (), {"ac", "ca", "bc", "cb"}),
    (("a", "b", "c"), (), ALL),
    (("a", "b"), ("--one-way",), {"ab"}),
    (("ab", "bc"), (), {"ac", "ca"}),
    (("a", "b"), ("--port", "9"), set()),
]


def settles(mesh: Mesh, wanted: set[str]) -> None:
    """Who is to be heard is heard, soon on a busy machine; who is not, never was meanwhile."""

    def holds() -> bool:
        found = mesh.heard()
        assert found <= wanted, found - wanted
        return found == wanted

    until(holds, 20, f"{wanted} hear each other")


def test_who_hears_whom(agent: RealAgent, mesh: Mesh) -> None:
    settles(mesh, ALL)
    for groups, options, lost in CASES:
        agent.cli("partition", *map(mesh.name, groups), *options, "--for", "1m")
        mesh.drain()
        settles(mesh, ALL - lost)
        agent.cli("clear", "--all", "--name", "partition")
        settles(mesh, ALL)


def test_on_all_or_on_none(agent: RealAgent, mesh: Mesh) -> None:
    """The second target has another owner's condition of that name: the first one is as it was."""
    agent.cli("set", mesh.name("b"), "--name", "partition", "--owner", "somebody", "--delay", "1ms", "--for", "1m")
    assert "[other-owner]" in agent.cli("partition", mesh.name("ab"), mesh.name("c"), code=1)
    settles(mesh, ALL)


def test_the_lease_ends_it_with_the_agent_dead(agent: RealAgent, mesh: Mesh) -> None:
    settles(mesh, ALL)
    agent.cli("partition", mesh.name("a"), mesh.name("b"), "--for", "3s")
    agent.stop(signal.SIGKILL)
    until(lambda: mesh.heard() == ALL, 20, "it ends by itself")


def test_the_pages_commands(agent: RealAgent, mesh: Mesh) -> None:
    page = (ROOT / "docs" / "partitions.md").read_text()
    block = page.split("```sh\n")[1].split("```")[0]
    commands = block.splitlines() + re.findall(r"\| `(netweather [^`]*)` \|", page)
    assert len(commands) == 8
    for command in commands:
        words = command.replace("docker:shop-1,docker:shop-2", "A,M").replace("docker:shop-3", "B").split()[1:]
        named = [re.sub(r"\b[AMB]\b", lambda found: mesh.name({"A": "a", "M": "b", "B": "c"}[found[0]]), word)
                 if re.fullmatch(r"[AMB](,[AMB])*", word) else word for word in words]  # fmt: skip
        said = agent.cli(*named)
        assert said, command
