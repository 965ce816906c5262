"""What a lab is made of, from Python's words or YAML: hosts, links with their conditions, processes. Pure.

    hosts:
      client:
      shop:
        processes:
          web: {command: [python3, -m, http.server, "8080"], ready: "tcp:8080"}
    links:
    - {hosts: [client, shop], delay: 40ms, loss: 1%}
A host without anything is written `client:`; without links all hosts are on one switch. In a command and its environment
`${shop}` is the shop's address. One that fails: `ready: 80 80` (bad-lab: write tcp:8080, udp:5004 or log:TEXT).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from netweather.conditions.language.documents import parse_one
from netweather.errors import UsageError, unknown

MOST_ON_A_LINK = 14
NETWORKS = tuple(
    part for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24") for part in IPv4Network(text).subnets(new_prefix=28)
)
"""Documentation addresses: 48 links of 14 hosts."""
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
_READY = re.compile(r"(tcp|udp):([0-9]{1,5})|log:(.+)", re.DOTALL)
_PLACE = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True)
class Ready:
    """When a process is ready: it listens on a port, or has printed a text."""

    protocol: str = ""
    port: int = 0
    text: str = ""

    @classmethod
    def parse(cls, words: str | int) -> Ready:
        """`8080`, `tcp:8080`, `udp:5004`, `log:ready to serve`. Raises UsageError(code="bad-lab")."""
        found = _READY.fullmatch(f"tcp:{words}" if str(words).isdecimal() else str(words))
        if not found or int(found[2] or 1) not in range(1, 65536):
            raise bad(f"ready: {words!r}", "it says when a process is ready", "write tcp:8080, udp:5004 or log:TEXT")
        return cls(found[1] or "", int(found[2] or 0), found[3] or "")

    @property
    def words(self) -> str:
        """What `parse` reads."""
        return f"log:{self.text}" if self.text else f"{self.protocol}:{self.port}"


@dataclass(frozen=True)
class ProcessSpec:
    """A process that is started with its host."""

    name: str
    command: tuple[str, ...]
    ready: Ready | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LinkSpec:
    """Two hosts on a wire, or more on a switch. words: its condition, as for `degrade`; empty: none."""

    hosts: tuple[str, ...]
    words: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LinkEnd:
    """A host's end of a link."""

    link: int
    device: str
    v4: str
    v6: str
    prefix: int = 28
    prefix6: int = 64


@dataclass(frozen=True)
class LabSpec:
    """Hosts by name with their processes, and links in order."""

    hosts: Mapping[str, tuple[ProcessSpec, ...]]
    links: tuple[LinkSpec, ...]

    def ends(self, host: str) -> list[LinkEnd]:
        """A host's ends: eth0, eth1 … in the order of the links."""
        mine = [(number, link) for number, link in enumerate(self.links) if host in link.hosts]
        return [_end(number, link.hosts.index(host) + 1, f"eth{place}") for place, (number, link) in enumerate(mine)]

    def address(self, host: str, seen_from: str | None = None) -> str:
        """A host's IPv4 address: on the first link that it shares with another, or its first."""
        ends = self.ends(host)
        shared = [end for end in ends if seen_from and seen_from != host and seen_from in self.links[end.link].hosts]
        return (shared or ends)[0].v4

    def filled(self, words: Sequence[str], host: str) -> list[str]:
        """The words with `${shop}` replaced by the shop's address as this host sees it. Raises UsageError(code="unknown-host")."""

        def address(found: re.Match[str]) -> str:
            return self.address(self.known(found[1]), host)

        return [_PLACE.sub(address, word) for word in words]

    def known(self, host: str) -> str:
        """The name itself. Raises UsageError(code="unknown-host") with the nearest one."""
        if host not in self.hosts:
            raise unknown("unknown-host", host, self.hosts)
        return host


def _end(link: int, place: int, device: str) -> LinkEnd:
    return LinkEnd(link, device, str(NETWORKS[link][place]), f"2001:db8:{link + 1:x}::{place:x}")


def make_spec(
    hosts: Sequence[str] | Mapping[str, Sequence[ProcessSpec]], links: Sequence[Sequence[str] | LinkSpec] | None = None
) -> LabSpec:
    """A checked lab. links: default is one switch with all hosts. Raises UsageError: bad-lab, unknown-host."""
    named = (
        {name: tuple(processes) for name, processes in hosts.items()} if isinstance(hosts, Mapping) else dict.fromkeys(hosts, ())
    )
    wanted = [tuple(named)] if links is None else links
    made = tuple(link if isinstance(link, LinkSpec) else LinkSpec(tuple(link)) for link in wanted)
    spec = LabSpec(named, made)
    _check(spec, len(hosts))
    return spec


def _check(spec: LabSpec, asked: int) -> None:
    for name in spec.hosts:
        if not _NAME.fullmatch(name):
            raise bad(f"host {name!r}", "a name is of small letters, digits and hyphens, 32 at most", "choose another")
    if not spec.hosts or len(spec.hosts) != asked:
        raise bad(f"hosts {', '.join(spec.hosts) or 'of nothing'}", "a lab needs at least one host, and names must be unique")
    if len(spec.links) > len(NETWORKS):
        raise bad(f"{len(spec.links)} links", f"the maximum is {len(NETWORKS)}")
    for link in spec.links:
        for host in link.hosts:
            spec.known(host)
        alone = len(spec.hosts) == 1 and len(link.hosts) == 1
        if len(set(link.hosts)) != len(link.hosts) or not (alone or 2 <= len(link.hosts) <= MOST_ON_A_LINK):
            raise bad(f"link of {', '.join(link.hosts)}", f"a link joins 2 to {MOST_ON_A_LINK} different hosts")
    for host in spec.hosts:
        if not spec.ends(host):
            raise bad(f"host {host!r}", "no link connects it", "name it in a link, or leave all links out")


def load_lab(text: str) -> LabSpec:
    """A lab from YAML. Raises UsageError: bad-lab, unknown-key, unknown-host, bad-yaml."""
    top = _mapping(parse_one(text, "a lab", "bad-lab"), "the top", ("hosts", "links"))
    hosts = {name: tuple(_processes(name, body)) for name, body in _mapping(top.get("hosts"), "hosts").items()}
    links = [_link(one) for one in _list(top["links"], "links")] if "links" in top else None
    return make_spec(hosts, links)


def _processes(host: str, body: Any) -> Iterator[ProcessSpec]:
    inside = _mapping(body or {}, f"hosts.{host}", ("processes",))
    for name, words in _mapping(inside.get("processes") or {}, f"hosts.{host}.processes").items():
        where = f"hosts.{host}.processes.{name}"
        words = _mapping(words, where, ("command", "ready", "environment"))
        command = tuple(str(word) for word in _list(words.get("command"), f"{where}.command"))
        if not command:
            raise bad(f"{where}.command", "it names no program")
        ready = Ready.parse(words["ready"]) if "ready" in words else None
        environment = {key: str(value) for key, value in _mapping(words.get("environment") or {}, f"{where}.environment").items()}
        yield ProcessSpec(name, command, ready, environment)


def _link(body: Any) -> LinkSpec:
    words = {key.replace("-", "_"): value for key, value in _mapping(body, "links").items()}
    hosts = _list(words.pop("hosts", None), "links.hosts")
    return LinkSpec(tuple(str(host) for host in hosts), words)


def _mapping(value: Any, where: str, known: tuple[str, ...] = ()) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise bad(where, "keys with their values are expected")
    for key in value:
        if known and key not in known:
            raise unknown("unknown-key", key, known, where)
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise bad(where, "a list is expected", "write [one, two]")
    return value


def bad(what: str, why: str, remedy: str = "") -> UsageError:
    """The error of a lab that can't be."""
    return UsageError("bad-lab", f"{what} is not valid in a lab", why, remedy or "docs/lab.md has an example")
