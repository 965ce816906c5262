"""Devices: those of a target as they are, and those of ours. Everything here runs inside the namespace (`Namespace.run`).

pyroute2 does the netlink; TAPs are made by ioctl. Devices of ours are recognised by their name (`nw…`) and an alias that
begins with ALIAS, so nothing else has to be remembered to take them away.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netweather.kernel import namespaces

ALIAS = "netweather:"
PORT = "nw0"
HELPER_PORT = "nwh"
LINE_PREFIX = "nwl"
QUEUE = 20_000  # packets; the default of 1,000 dropped 11,164 packets of one TCP flow in 2 s, 10,000 none
MAX_MTU = 65521  # what a TAP takes at most
ARPHRD_ETHER = 1

TUNSETIFF, TUNSETPERSIST, TUNSETOFFLOAD = 0x400454CA, 0x400454CB, 0x400454D0
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
OFFLOAD_CSUM, OFFLOAD_TSO4, OFFLOAD_TSO6 = 1, 2, 4


@dataclass(frozen=True)
class Device:
    """A network device as netlink tells it."""

    name: str
    ifindex: int
    hardware: int
    kind: str
    up: bool
    master: int | None
    lower: int | None
    alias: str
    mtu: int
    txqueuelen: int
    rx_dropped: int
    tx_dropped: int

    @property
    def ours(self) -> bool:
        return self.name.startswith("nw") and self.alias.startswith(ALIAS)


def netlink() -> Any:
    """The route netlink socket of the namespace whose thread this is; kept until the namespace is closed (opening takes 10 ms)."""
    from pyroute2 import IPRoute

    _teach_bpf_ids()
    return namespaces.kept_here("netlink", IPRoute)


@functools.cache
def _teach_bpf_ids() -> None:
    """pyroute2's codec of BPF filters ends before the program's id, by which ours is recognised: register one that has it."""
    from pyroute2.netlink.rtnl.tcmsg import sched_bpf

    class Options(sched_bpf.options):  # type: ignore[misc]  # pyroute2 has no types
        nla_map = (*sched_bpf.options.nla_map, ("TCA_BPF_FLAGS_GEN", "uint32"), ("TCA_BPF_TAG", "hex"), ("TCA_BPF_ID", "uint32"))

    sched_bpf.options = Options


def _device(message: Any) -> Device:
    info = message.get_attr("IFLA_LINKINFO")
    stats = message.get_attr("IFLA_STATS64") or {}
    lower = message.get_attr("IFLA_LINK")
    kind = (info.get_attr("IFLA_INFO_KIND") if info else None) or ""
    # A veth's peer is also told as IFLA_LINK, and what lies in another namespace with that one's number.
    if kind == "veth" or message.get_attr("IFLA_LINK_NETNSID") is not None:
        lower = None
    return Device(
        name=message.get_attr("IFLA_IFNAME"),
        ifindex=message["index"],
        hardware=message["ifi_type"],
        kind=kind,
        up=bool(message["flags"] & 1),
        master=message.get_attr("IFLA_MASTER"),
        lower=lower if lower != message["index"] else None,
        alias=message.get_attr("IFLA_IFALIAS") or "",
        mtu=message.get_attr("IFLA_MTU"),
        txqueuelen=message.get_attr("IFLA_TXQLEN") or 0,
        rx_dropped=stats.get("rx_dropped", 0),
        tx_dropped=stats.get("tx_dropped", 0),
    )


@contextlib.contextmanager
def os_errors() -> Iterator[None]:
    """What netlink refuses is an OSError, as what the bpf() call refuses is. Also a decorator."""
    from pyroute2 import NetlinkError

    try:
        yield
    except NetlinkError as error:
        raise OSError(error.code, os.strerror(error.code)) from error


def devices() -> list[Device]:
    """All devices of this namespace, by index."""
    ip = netlink()
    return sorted((_device(m) for m in ip.get_links()), key=lambda d: d.ifindex)


def names() -> set[str]:
    """The names of this namespace's devices: the quickest look there is."""
    return {name for _, name in socket.if_nameindex()}


def device(name: str) -> Device | None:
    return next((d for d in devices() if d.name == name), None)


def delete(ifindex: int) -> None:
    """Deletes a device; one that is gone is no error."""
    from pyroute2 import NetlinkError

    ip = netlink()
    try:
        ip.link("del", index=ifindex)
    except NetlinkError as error:
        if error.code not in (errno.ENODEV, errno.EINVAL):
            raise


def _quiet(name: str) -> None:
    """Before up: otherwise the device sends a few IPv6 frames of its own."""
    path = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
    with contextlib.suppress(OSError):  # no IPv6 in this kernel, or /proc/sys is read-only: the line shoots strays anyway
        path.write_text("1")


def make_port(target_fd: int, alias: str) -> None:
    """Makes the veth pair nwh (here, in our own namespace) and nw0 (in the target's), both down."""
    ip = netlink()
    ip.link(
        "add",
        ifname=HELPER_PORT,
        kind="veth",
        mtu=MAX_MTU,
        ifalias=alias,
        peer={"ifname": PORT, "net_ns_fd": target_fd, "mtu": MAX_MTU},
    )


def raise_port(name: str, alias: str) -> int:
    """Brings one end of the pair up, quietly. Returns its index."""
    _quiet(name)
    ip = netlink()
    index = int(ip.link_lookup(ifname=name)[0])
    ip.link("set", index=index, ifalias=alias, arp=False)
    ip.link("set", index=index, state="up")
    return index


def pin_receive(sysfs: Path, name: str, cpu: int) -> None:
    """All of a device's received packets on one CPU: otherwise those of one flow overtake each other on a veth."""
    mask = f"{1 << (cpu % 32):x}" + ",00000000" * (cpu // 32)
    for queue in (sysfs / "class/net" / name / "queues").glob("rx-*"):
        (queue / "rps_cpus").write_text(mask)


def open_tap(name: str) -> int:
    """Opens (and makes, when it isn't there) the TAP of a line. Returns a non-blocking descriptor. Raises OSError."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        request = struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
        fcntl.ioctl(fd, TUNSETIFF, request)
        # Persistent: a pump that dies leaves its device, so that the next one finds all that hangs on it.
        fcntl.ioctl(fd, TUNSETPERSIST, 1)
        fcntl.ioctl(fd, TUNSETOFFLOAD, OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_TSO6)
    except OSError:
        os.close(fd)
        raise
    return fd


def raise_tap(name: str, alias: str) -> int:
    """Brings a line's TAP up with room enough, quietly. Returns its index."""
    _quiet(name)
    ip = netlink()
    index = int(ip.link_lookup(ifname=name)[0])
    ip.link("set", index=index, ifalias=alias, mtu=MAX_MTU, txqlen=QUEUE, arp=False)
    ip.link("set", index=index, state="up")
    return index
