"""Which interfaces and addresses a namespace really has: two dumps of netlink. Nothing is changed, nothing in it is run."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from netweather.errors import NetweatherError
from netweather.kernel.namespaces import Namespace
from netweather.kernel.netlink import links
from netweather.targets.model import Address, Target


@dataclass(frozen=True)
class NamespaceInterface:
    """One interface of a namespace. ours: Netweather made it; addresses: its own, not its peer's."""

    name: str
    index: int
    loopback: bool
    ours: bool
    addresses: tuple[Address, ...]


@dataclass(frozen=True)
class NamespaceAddresses:
    """What a look into a namespace showed: its addresses and interface names; note: why nothing, "" when it could be read."""

    addresses: tuple[Address, ...] = ()
    interfaces: tuple[str, ...] = ()
    note: str = ""


def interfaces_in(netns_fd: int) -> tuple[NamespaceInterface, ...]:
    """All interfaces of a namespace by index, loopback too.

    Raises NetweatherError: cannot-enter-namespace, target-changed (the lists kept changing while they were read).
    """
    try:
        with Namespace(netns_fd) as namespace:
            devices, addresses = namespace.run(lambda: (links.devices(), links.addresses()))
    except OSError as error:
        if error.errno != errno.EAGAIN:
            raise
        what, why = "the interfaces could not be listed", "they kept changing while they were read"
        raise NetweatherError("target-changed", what, why, "try again") from error
    return tuple(
        NamespaceInterface(
            one.name, one.ifindex, one.hardware == links.ARPHRD_LOOPBACK, one.ours,
            tuple(address for index, address in addresses if index == one.ifindex),
        )
        for one in devices
    )  # fmt: skip


def addresses_of(interfaces: Iterable[NamespaceInterface]) -> tuple[Address, ...]:
    """Every address that others can reach, each once: link-local ones too, and a service's address on lo. See `ordered`."""
    return ordered(address for interface in interfaces for address in interface.addresses if not address.is_loopback)


def ordered(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """Each once, v4 first, then by number."""
    return tuple(sorted(set(addresses), key=lambda address: (address.version, int(address))))


def look(target: Target) -> NamespaceAddresses:
    """The target's addresses and interfaces for a listing, without lo and Netweather's own; a failure becomes the note.

    Link-local IPv6 addresses are listed only when there is nothing else: they mean nothing to who reads the list elsewhere.
    """
    try:
        interfaces = interfaces_in(target.netns_fd)
    except (NetweatherError, OSError) as error:
        return NamespaceAddresses(target.addresses, (), str(error.why if isinstance(error, NetweatherError) else error))
    names = tuple(each.name for each in interfaces if not (each.loopback or each.ours))
    addresses = ordered((*addresses_of(interfaces), *target.addresses))
    listed = tuple(address for address in addresses if not (address.version == 6 and address.is_link_local))
    return NamespaceAddresses(listed or addresses, names)


def plain(text: str) -> Address | None:
    """The address that a runtime's API wrote down, None for "" and for what is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None
