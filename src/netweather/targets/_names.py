"""A host name's addresses as a target's own resolver knows them: its /etc/hosts, then the name servers of its /etc/resolv.conf.

The files are those of a process in the target's namespace (or /etc/netns/NAME, as `ip netns exec` has it), and the servers are asked from
inside the namespace: a container's 127.0.0.11, a cluster's DNS. All A and all AAAA records count. Not here: what a peer is.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from netweather.errors import NetweatherError
from netweather.kernel.namespaces import Namespace
from netweather.targets import _addresses, _open_namespaces, _rootfs, liveness
from netweather.targets.model import Address, Target

HOSTS_TTL: Final = 5.0
"""Seconds after which /etc/hosts is read again: it may change, and nobody tells."""
SHORTEST, LONGEST = 1.0, 60.0
"""Between these an answer is good, whatever its TTL: Docker's server says ten minutes of containers that come and go."""
_AGAIN: Final = 5.0
_PATIENCE: Final = 5.0


@dataclass(frozen=True)
class ResolvedName:
    """addresses: of both families, each once; ttl: seconds for which they are good, by the shortest TTL of the records."""

    addresses: tuple[Address, ...]
    ttl: float


@dataclass(frozen=True)
class Configuration:
    """The texts of a resolver's files; "" for one that is not there."""

    hosts: str
    resolv_conf: str


def look_up(name: str, target: Target) -> ResolvedName:
    """The addresses of a host name, asked as the target's own processes would.

    Raises OSError (its strerror says why, such as that the name does not exist) and NetweatherError cannot-enter-namespace.
    """
    found = configuration(target)
    written = in_hosts(found.hosts, name)
    if written:
        return ResolvedName(written, HOSTS_TTL)
    with Namespace(target.netns_fd) as namespace:
        return namespace.run(lambda: _ask(name, found.resolv_conf))


def configuration(target: Target) -> Configuration:
    """The resolver's files of the target: of its process, else of the first in its namespace that has them, else of this machine."""
    for pid in _processes(target):
        found = _of_process(pid, target)
        if found is not None:
            return found
    name = os.path.basename(target.path or "") if target.runtime == "netns" else ""
    return Configuration(*(_own(f"/etc/netns/{name}/{file}", f"/etc/{file}") for file in ("hosts", "resolv.conf")))


def resolvers(target: Target) -> tuple[str, ...]:
    """The addresses of the target's name servers, as its /etc/resolv.conf has them."""
    words = re.findall(r"(?m)^\s*nameserver\s+([^\s%#]+)", configuration(target).resolv_conf)
    return tuple(word for word in words if _addresses.plain(word) is not None)


def in_hosts(text: str, name: str) -> tuple[Address, ...]:
    """The addresses of a name in the text of an /etc/hosts; () when it has none."""
    wanted = name.rstrip(".").lower()
    found = []
    for line in text.splitlines():
        address, *names = line.partition("#")[0].lower().split() or [""]
        parsed = _addresses.plain(address.partition("%")[0])
        if parsed is not None and wanted in names:
            found.append(parsed)
    return tuple(dict.fromkeys(found))


def _processes(target: Target) -> Iterator[int]:
    if target.pid is not None:
        yield target.pid
    yield from (pid for pid in liveness.occupants(target) if pid != target.pid)


def _of_process(pid: int, target: Target) -> Configuration | None:
    """None when the process is gone, is elsewhere, or has neither file: a pod's first process is from an image of its own."""
    try:
        with _open_namespaces.ProcessEntry(pid) as process, process.root() as root:
            texts = [_rootfs.read_inside(root, path) for path in ("/etc/hosts", "/etc/resolv.conf")]
    except (NetweatherError, OSError):
        return None
    if _open_namespaces.process_identity(pid) != (target.dev, target.ino) or None in texts:
        return None
    return Configuration(*(text or "" for text in texts))


def _own(*paths: str) -> str:
    for path in paths:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            continue
    return ""


def _ask(name: str, resolv_conf: str) -> ResolvedName:
    """Both families from the name servers; in the thread whose network they are to be asked from."""
    import dns.exception
    import dns.resolver

    resolver = dns.resolver.Resolver(configure=False)
    try:
        resolver.read_resolv_conf(io.StringIO(_without_zones(resolv_conf)))
    except dns.resolver.NoResolverConfiguration:
        resolver.nameservers = ["127.0.0.1"]  # as the C library has it
    resolver.lifetime = _PATIENCE
    found: list[Address] = []
    ttls: list[float] = []
    failures: list[str] = []
    for kind in ("A", "AAAA"):
        try:
            answer: Any = resolver.resolve(name, kind, search=True, raise_on_no_answer=False)
        except dns.exception.DNSException as error:
            failures.append(_why(error))
            if isinstance(error, dns.resolver.LifetimeTimeout):
                break  # they would not answer the other question either
            continue
        ttls.append(float(answer.chaining_result.minimum_ttl))
        found += [address for record in answer.rrset or () if (address := _addresses.plain(str(record.address))) is not None]
    # A family without an answer may be there in a moment; a name that is not there at all fails twice in the same words.
    if not found:
        raise OSError(0, failures[0] if failures else "it has neither A nor AAAA records")
    return ResolvedName(tuple(dict.fromkeys(found)), _AGAIN if failures else min(max(min(ttls), SHORTEST), LONGEST))


def _without_zones(resolv_conf: str) -> str:
    """The text without name servers that are bound to an interface of somebody else's naming (fe80::1%eth0)."""
    return re.sub(r"(?m)^\s*nameserver\s+\S*%.*$", "", resolv_conf)


def _why(error: Exception) -> str:
    import dns.resolver

    if isinstance(error, dns.resolver.NXDOMAIN):
        return "the name does not exist"
    if isinstance(error, dns.resolver.LifetimeTimeout):
        return "its name servers do not answer"
    return str(error).partition("\n")[0] or type(error).__name__
