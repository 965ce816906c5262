"""A peer becomes prefixes: addresses and prefixes as they are, host names by the resolver, references by their namespaces.

    198.51.100.7  198.51.100.0/24  2001:db8::/32     as written
    docker:shop-db  compose:db  netns:db  pid:4711   all addresses of all its interfaces but loopback, both families
    db.example.org                                   all A and AAAA records, as the target's own resolver knows them now
One that fails: 198.51.100.7/24 is a UsageError (bad-peer) that offers 198.51.100.0/24 and 198.51.100.7.
Resolved once: `peersets` keeps them current.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from contextlib import ExitStack
from ipaddress import IPv6Address, ip_interface, ip_network
from typing import Final

from netweather.errors import NetweatherError, UsageError
from netweather.targets import _addresses, _names, _sockets
from netweather.targets.model import Address, Peer, Prefix, Target
from netweather.targets.references import SCHEMES, bare_name, is_reference, parse
from netweather.targets.resolving import open_reference

_HOST_NAME: Final = re.compile(r"(?=.{1,253}\.?$)[^\s/:%@\[\]]+")
# The resolver takes "10" and "0x7f.1" for IPv4 addresses; no host name ends in a number.
_NUMBERS: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?")
_OWN_TTL: Final = 30.0  # this machine's resolver does not tell any
_FORMS: Final = "an address, a prefix such as 198.51.100.0/24, a host name, or a reference such as docker:shop-db"


def resolve_peers(reference: str, target: Target | None = None) -> tuple[Peer, ...]:
    """The prefixes of a peer, at least one, v4 first and in order of number; origin is `reference` as it is.

    target: whose resolver knows host names; without one it is this machine's.
    A link-local address carries no interface: it matches on every interface of the target.
    Raises UsageError bad-peer and those of references.parse; NetweatherError unresolvable-peer, peer-without-address and
    everything that `resolve` raises, save host-namespace.
    """
    return resolved(reference, target)[0]


def resolved(reference: str, target: Target | None = None) -> tuple[tuple[Peer, ...], float]:
    """The same, and for how many seconds it is good: an address for ever, a host name by its TTL, a reference until it is told of."""
    text = reference.strip()
    prefix = _prefix(text)
    ttl = math.inf
    if prefix is not None:
        return (Peer(prefix, reference),), ttl
    if is_reference(text):
        addresses = _of_reference(text)
    elif is_host_name(text):
        addresses, ttl = _of_host(text, target)
    else:
        raise _bad(text, f"a peer is {_FORMS}", "")
    return tuple(Peer(ip_network(address), reference) for address in addresses), ttl


def is_host_name(text: str) -> bool:
    """Whether the words can be a host name; references and addresses are to be told apart before."""
    return "/" not in text and _HOST_NAME.fullmatch(text) is not None and _NUMBERS.fullmatch(text) is None


def _prefix(text: str) -> Prefix | None:
    """The prefix that was written, None when it is none at all. Raises UsageError bad-peer when it is nearly one."""
    try:
        prefix = ip_network("" if "%" in text else text)
    except ValueError:
        _refuse_near_miss(text)
        return None
    mapped = prefix.network_address.ipv4_mapped if isinstance(prefix.network_address, IPv6Address) else None
    if mapped is not None and prefix.prefixlen >= 96:
        prefix = ip_network(f"{mapped}/{prefix.prefixlen - 96}")
    if prefix.network_address.is_loopback and prefix.prefixlen > 0:
        raise _bad(text, "loopback traffic is never affected", "")
    return prefix


def _refuse_near_miss(text: str) -> None:
    """Raises UsageError bad-peer for what was meant as an address; a scheme's rest may hold anything."""
    if text.partition(":")[0] in {known.name for known in SCHEMES}:
        return
    try:
        meant = ip_interface(text)
    except ValueError:
        meant = None
    if "%" in text:
        raise _bad(
            text, "an address with an interface means something else in every namespace", "leave out the % and what follows"
        )
    if meant is not None:
        raise _bad(text, "the address has bits set behind the prefix", f"write {meant.network} or {meant.ip}")
    if "::" in text or text.count(":") > 1 or text.startswith("["):
        bracketed = re.fullmatch(r"\[(.+)\](:\d+)?", text)
        raise _bad(text, "it is no IPv6 address", f"write {bracketed[1]}" if bracketed else "")


def _of_reference(text: str) -> tuple[Address, ...]:
    """All addresses of what a reference names: those its runtime tells, and those its namespace really has."""
    found: list[Address] = []
    with ExitStack() as opened:
        targets = open_reference(parse(text), as_peer=True)
        for target in targets:
            opened.enter_context(target)
        for target in targets:
            found += target.addresses
            found += _addresses.addresses_of(_addresses.interfaces_in(target.netns_fd))
    if not found:
        why = "its namespace has only loopback addresses"
        raise NetweatherError("peer-without-address", f"{text} has no address", why, f"connect it to a network, or name {_FORMS}")
    return _addresses.ordered(found)


def _of_host(name: str, target: Target | None) -> tuple[tuple[Address, ...], float]:
    inside = target is not None and target.runtime != "host"
    try:
        answer = _names.look_up(name, target) if target and inside else _names.Answer(tuple(_sockets.look_up(name)), _OWN_TTL)
    except UnicodeError as error:
        raise _bad(name, "it cannot be a host name", "") from error
    except OSError as error:
        whose = f"in {target.name}" if target and inside else "on this machine"
        meant = bare_name(name)
        remedy = f"give its address, or write {meant} if you mean the container" if meant else "give its address"
        why = f"{error.strerror or error}; it was looked up {whose}"
        raise NetweatherError("unresolvable-peer", f"the host {name!r} could not be resolved", why, remedy) from error
    return _reachable(name, answer.addresses), answer.ttl


def _reachable(name: str, found: Iterable[Address]) -> tuple[Address, ...]:
    addresses = _addresses.ordered(address for address in found if not address.is_loopback)
    if not addresses:
        why = "it has loopback addresses only, and loopback traffic is never affected"
        raise NetweatherError("peer-without-address", f"the host {name!r} has no address to match", why, f"name {_FORMS}")
    return addresses


def _bad(text: str, why: str, remedy: str) -> UsageError:
    return UsageError("bad-peer", f"{text!r} is not a peer", why, remedy or f"name {_FORMS}")
