"""Networks for tests: namespaces joined by veth pairs, with documentation addresses and without noise.

    with lab() as net:
        net.client.run("ping", "-c1", str(net.server.v4))
        listener = net.server.call(socket.create_server, ("192.0.2.2", 80))

Names are nwt-OWNER-N-ROLE; what a killed session left is removed by `sweep`, which every lab calls first.
"""

from __future__ import annotations

import ctypes
import fcntl
import itertools
import os
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, TypeVar

from netweather.kernel.waiting import until
from tests.support import owner
from tests.support.machine import SLOW

PREFIX = "nwt-"
FOLDER = Path("/run/netns")
CLONE_NEWNET = 0x40000000
GET_FLAGS, RUNNING = 0x8913, 0x40  # SIOCGIFFLAGS, IFF_RUNNING: its operational state is up
CARRIER_S = 20 * SLOW
LINKS = {  # by `ip link add … type`: the kernel's option
    "macvlan mode bridge": "MACVLAN",
    "ipvlan mode l2": "IPVLAN",
    "vlan id 10": "VLAN_8021Q",
}
QUIET = {  # an address is usable at once, and nothing is sent that nobody asked for
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
    "net/ipv6/conf/default/mldv1_unsolicited_report_interval": "0",
}
T = TypeVar("T")
_numbers = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Namespace:
    """One network namespace with one interface, eth0, unless the test adds more."""

    name: str
    v4: IPv4Address
    v6: IPv6Address
    _started: list[subprocess.Popen[str]] = field(default_factory=list, compare=False, repr=False)

    @property
    def path(self) -> Path:
        return FOLDER / self.name

    def run(
        self, *command: str, check: bool = True, timeout: float = 30 * SLOW, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command inside to its end; the output is captured, and shown when it fails."""
        inside = ["ip", "netns", "exec", self.name, *command]
        result = subprocess.run(inside, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
        if check and result.returncode:
            raise AssertionError(f"{' '.join(command)}: exit {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Starts a command inside; it dies with the test, however the test ends."""
        inside = ["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", self.name, *command]
        pipe = subprocess.PIPE
        process = subprocess.Popen(inside, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT, text=True)
        self._started.append(process)
        return process

    def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Calls a function in a thread that is inside: a socket it returns stays there."""
        outcome: list[T | BaseException] = []

        def inside() -> None:
            try:
                with self.path.open() as namespace:
                    if _libc.setns(namespace.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), f"setns {self.name}")
                outcome.append(function(*arguments, **named))
            except BaseException as error:  # raised again below, in the caller's thread
                outcome.append(error)

        thread = threading.Thread(target=inside, name=self.name)
        thread.start()
        thread.join()
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]

    def stop(self) -> None:
        """Ends what was started inside."""
        for process in self._started:
            process.kill()
            process.communicate()
        self._started.clear()


@dataclass(frozen=True)
class Lab:
    """client ═ server; or all on one bridge, with a bystander that no condition may touch."""

    client: Namespace
    server: Namespace
    bystander: Namespace | None = None

    @property
    def namespaces(self) -> tuple[Namespace, ...]:
        return (self.client, self.server, *((self.bystander,) if self.bystander else ()))


def ip(*arguments: str, stdin: str = "") -> str:
    """iproute2's ip; its error is the test's."""
    result = subprocess.run(["ip", *arguments], input=stdin, capture_output=True, text=True, timeout=30 * SLOW, check=False)
    assert result.returncode == 0, f"ip {' '.join(arguments)}: {result.stderr}{stdin}"
    return result.stdout


def remove(name: str) -> None:
    """Removes a namespace of ours with every process in it."""
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False).stdout
    for pid in listed.split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def sweep() -> list[str]:
    """Removes the namespaces of sessions that are dead; returns their names."""
    stale = [path.name for path in FOLDER.glob(f"{PREFIX}*") if not owner.alive(path.name)]
    for name in stale:
        remove(name)
    return stale


def _quieten() -> None:
    for name, value in QUIET.items():
        Path("/proc/sys", name).write_text(value)


@contextmanager
def lab(*, bystander: bool = False, link: str = "veth") -> Iterator[Lab]:
    """Makes the namespaces, joins them, and removes them at the end. Needs root.

    link: what their eth0 is, a veth or one of LINKS, whose lower device is in a namespace between them.
    """
    sweep()
    stem = f"{PREFIX}{owner.tag()}-{next(_numbers)}"
    roles = ("client", "server", *(("bystander",) if bystander else ()))
    made = [
        Namespace(f"{stem}-{role}", IPv4Address(f"192.0.2.{host}"), IPv6Address(f"2001:db8::{host}"))
        for host, role in enumerate(roles, 1)
    ]
    middle = Namespace(f"{stem}-bridge", IPv4Address("192.0.2.254"), IPv6Address("2001:db8::fe"))
    everything = [*made, middle] if bystander or link != "veth" else made
    try:
        ip("-batch", "-", stdin="".join(f"netns add {one.name}\n" for one in everything))
        for one in everything:
            one.call(_quieten)
        if link != "veth":
            ip("-n", middle.name, "-batch", "-", stdin=_stacked(made, link))
        else:
            ip("-batch", "-", stdin=_links(made, middle if bystander else None))
        if bystander:
            ports = "".join(f"link set port{one.v4.packed[3]} master br0 up\n" for one in made)
            ip("-n", middle.name, "-batch", "-", stdin=f"link add br0 type bridge mcast_snooping 0\nlink set br0 up\n{ports}")
        for one in made:
            addresses = f"addr add {one.v4}/24 dev eth0\naddr add {one.v6}/64 dev eth0 nodad\n"
            ip("-n", one.name, "-batch", "-", stdin=f"link set lo up\nlink set eth0 up\n{addresses}")
        for one in made:
            one.call(await_carrier)
        yield Lab(*made)
    finally:
        for one in everything:
            one.stop()
            remove(one.name)


def await_carrier(name: str = "eth0") -> None:
    """Until an interface is up for everybody: the kernel tells of a carrier in the background, on a busy machine a second later."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        if not until(lambda: bool(_flags(asker, name) & RUNNING), CARRIER_S, 0.002):
            raise RuntimeError(f"{name} has no carrier")


def _flags(asker: socket.socket, name: str) -> int:
    found: int = struct.unpack_from("16xH", fcntl.ioctl(asker, GET_FLAGS, struct.pack("16s24x", name.encode())))[0]
    return found


def _stacked(made: list[Namespace], link: str) -> str:
    """Every eth0 lies on a device of the namespace between: the two ends of a veth pair, or all on one of them."""
    lowers = "link add trunk1 type veth peer name trunk2\nlink set trunk1 up\nlink set trunk2 up\n"
    one = link.startswith(("macvlan", "ipvlan"))  # whose siblings on one device talk to each other
    adds = (
        f"link add eth0 link trunk{1 if one else number} netns {end.name} type {link}\n" for number, end in enumerate(made, 1)
    )
    return lowers + "".join(adds)


def _links(made: list[Namespace], bridge: Namespace | None) -> str:
    if bridge is None:
        client, server = made
        return f"link add eth0 netns {client.name} type veth peer name eth0 netns {server.name}\n"
    ends = ((one.name, f"port{one.v4.packed[3]}") for one in made)
    return "".join(f"link add eth0 netns {name} type veth peer name {port} netns {bridge.name}\n" for name, port in ends)
