"""A network for one command: a namespace without a name, joined to another of ours, from which the host's services are served.

Nothing of the host is changed: no device, address, route, rule or sysctl. Both namespaces are held by this process's descriptors
and by what runs inside, so that nothing is left when these end, however they end. The command dies with this process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from netweather.host import wiring
from netweather.host.forwarding import Forwarder, SocketAddress
from netweather.host.local_services import HostService
from netweather.host.user_command import RunningCommand, start
from netweather.kernel import namespaces
from netweather.kernel.datapath.pump_process import ProcessHandle
from netweather.kernel.netlink import links

HOST: Final = "169.254.77.1"
"""Where the command reaches the host's services. Link-local: no route anywhere leads there, and no lab has it."""
HERE: Final = "169.254.77.2"
LOOPBACK: Final = "127.0.0.1"
TABLE: Final = 77
"""Of routes for what looks like loopback and isn't."""
NAME: Final = "host.netweather"
DNS_PORT: Final = 53


@dataclass(frozen=True)
class ReachedService:
    """A service elsewhere that is to be reached. name: "" when it is given by address; address: IPv4."""

    name: str
    address: str
    port: int


class Enclosure:
    """The network, from `with` on. ways: what is reached besides the host; localhost: on 127.0.0.1, too, the host's services are
    reached, and where it has none on a port, this namespace's own.

    Raises OSError.
    """

    def __init__(self, ways: Sequence[ReachedService] = (), *, localhost: bool = False) -> None:
        self.ways, self.localhost = tuple(ways), localhost
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.inside = stack.enter_context(namespaces.nameless())
            self.outside = stack.enter_context(namespaces.nameless())
            for namespace in (self.inside, self.outside):
                wiring.settle(namespace)
            wiring.join(self.inside, "eth0", self.outside, "eth0")
            wiring.raise_device(self.outside, "eth0", [f"{HOST}/24"])
            wiring.raise_device(self.inside, "eth0", [f"{HERE}/24"])
            reached = list(dict.fromkeys(way.address for way in self.ways))
            wiring.raise_device(self.outside, "lo", [f"{each}/32" for each in reached])
            self.inside.run(lambda: _routes(reached))
            self.inside.run(self._files)
            if self.localhost:
                self.outside.run(lambda: _allow("route_localnet"))
                self.inside.run(_open_loopback)
            served = (HOST, LOOPBACK) if self.localhost else (HOST,)
            stack.enter_context(Forwarder(self.outside, served, self._fixed(), self._changed))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._stack.close()

    @property
    def reference(self) -> str:
        """The namespace as a target, for as long as it is held here."""
        return f"netns:/proc/{os.getpid()}/fd/{self.inside.fd}"

    def _fixed(self) -> dict[SocketAddress, HostService]:
        fixed = {("tcp", way.address, way.port): HostService("tcp", way.port, way.address) for way in self.ways}
        server = nameserver()
        if server:
            for kind in ("tcp", "udp"):
                fixed[kind, HOST, DNS_PORT] = HostService(kind, DNS_PORT, server)
        return fixed

    def _changed(self, place: SocketAddress, served: bool) -> None:
        """What this machine serves is no longer this namespace's own loopback's."""
        kind, address, port = place
        if address == LOOPBACK:
            self.inside.run(lambda: _aside(kind, port, served))

    def _files(self) -> None:
        """This namespace's thread, and who starts from it, sees its own names and resolver."""
        namespaces.unshare_mounts()
        known = [*_read("/etc/hosts"), f"{HOST} {NAME}"]
        known += [f"{way.address} {way.name}" for way in self.ways if way.name]
        options = [line for line in _read("/etc/resolv.conf") if line.split()[:1] in (["search"], ["options"], ["domain"])]
        for path, lines in (("/etc/hosts", known), ("/etc/resolv.conf", [f"nameserver {HOST}", *options])):
            if Path(path).exists():
                with tempfile.NamedTemporaryFile("w", prefix="netweather-") as file:
                    file.write("\n".join(lines) + "\n")
                    file.flush()
                    os.chmod(file.name, 0o644)
                    namespaces.bind(file.name, path)

    def start(self, command: Sequence[str], environment: Mapping[str, str], output: int | None = None) -> RunningCommand:
        """Starts a command inside, as `commands.start` does."""
        return self.inside.run(lambda: start(command, environment, output))

    def occupants(self) -> list[int]:
        """The processes inside."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    status = os.stat(f"/proc/{entry}/ns/net")
                    if (status.st_dev, status.st_ino) == self.inside.identity:
                        found.append(int(entry))
        return found

    def end(self) -> None:
        """Kills what is still inside: what a command has left in the background has no network any more."""
        while found := self.occupants():
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not any(map(ProcessHandle.of, found)):
                return


def nameserver() -> str:
    """The first of this machine's resolvers; "" when there is none."""
    return next((words[1] for words in map(str.split, _read("/etc/resolv.conf")) if words[:1] == ["nameserver"]), "")


def resolve(host: str) -> str:
    """The first IPv4 address of a host; "" when there is none."""
    try:
        return str(socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
    except OSError:
        return ""


def _read(path: str) -> list[str]:
    try:
        return [line for line in Path(path).read_text().splitlines() if line.strip()]
    except OSError:
        return []


def _routes(addresses: Sequence[str]) -> None:
    for each in addresses:
        links.add_route(each, HOST)


def _allow(*words: str) -> None:
    for word in words:
        Path(f"/proc/sys/net/ipv4/conf/eth0/{word}").write_text("1")


def _open_loopback() -> None:
    """Rules may come before the table of local addresses, and send single ports of 127.0.0.1 out by eth0."""
    _allow("route_localnet", "accept_local")
    for name in ("all", "eth0"):
        Path(f"/proc/sys/net/ipv4/conf/{name}/rp_filter").write_text("0")
    links.add_rule(100, links.LOCAL)
    links.delete_rule(0, links.LOCAL)
    links.add_route(LOOPBACK, HOST, source=HERE, table=TABLE)


def _aside(kind: str, port: int, served: bool) -> None:
    protocol = socket.IPPROTO_TCP if kind == "tcp" else socket.IPPROTO_UDP
    change = links.add_rule if served else links.delete_rule
    change(50, TABLE, LOOPBACK, protocol, port)
