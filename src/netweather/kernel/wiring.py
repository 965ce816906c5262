"""Namespaces of labs and the demo, joined by veth pairs and bridges, with documentation addresses and without noise or a way out.

Not here: which hosts there are and what runs in them (netweather.testing), and conditions, which are the engine's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from netweather.kernel import links
from netweather.kernel.namespaces import Namespace

BRIDGE = "br0"
_SETTINGS = {  # addresses are usable at once, nothing is sent that nobody asked for, and TCP is the same on every machine
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
    "net/ipv6/conf/default/mldv1_unsolicited_report_interval": "0",
    "net/ipv6/conf/default/mldv2_unsolicited_report_interval": "0",
    "net/ipv4/tcp_congestion_control": "cubic",
    "net/ipv4/tcp_rmem": "4096 131072 16777216",
    "net/ipv4/tcp_wmem": "4096 65536 16777216",
    "net/ipv4/tcp_no_metrics_save": "1",
    "net/ipv4/ip_unprivileged_port_start": "0",
}


@links.os_errors()
def settle(namespace: Namespace, *, ipv6: bool = True) -> None:
    """Makes a new namespace quiet and brings its loopback up. ipv6: whether it has that at all. Raises OSError."""
    without = {f"net/ipv6/conf/{which}/disable_ipv6": str(int(not ipv6)) for which in ("default", "all")}

    def inside() -> None:
        for name, value in (_SETTINGS | without).items():
            with contextlib.suppress(OSError):  # no IPv6 or no cubic in this kernel: then the lab goes without
                Path("/proc/sys", name).write_text(value)
        links.netlink().link("set", index=1, state="up")

    namespace.run(inside)


@links.os_errors()
def join(near: Namespace, device: str, far: Namespace, far_device: str) -> None:
    """A veth pair: `device` here, `far_device` there, both down. Raises OSError."""
    near.run(lambda: links.netlink().link("add", ifname=device, kind="veth", peer={"ifname": far_device, "net_ns_fd": far.fd}))


@links.os_errors()
def raise_device(namespace: Namespace, device: str, addresses: Iterable[str]) -> None:
    """Brings a device up with addresses such as 192.0.2.1/28; those of a family that the kernel lacks are left out. Raises OSError."""

    def inside() -> None:
        from pyroute2 import NetlinkError

        ip = links.netlink()
        index = ip.link_lookup(ifname=device)[0]
        ip.link("set", index=index, state="up")
        for address in addresses:
            host, _, length = address.partition("/")
            try:
                ip.addr("add", index=index, address=host, prefixlen=int(length))
            except NetlinkError:
                if ":" not in host:
                    raise

    namespace.run(inside)


@links.os_errors()
def switch(namespace: Namespace, ports: Iterable[str]) -> None:
    """Joins the ports of a namespace by a bridge. Raises OSError."""

    def inside() -> None:
        ip = links.netlink()
        ip.link("add", ifname=BRIDGE, kind="bridge", br_mcast_snooping=0)
        bridge = ip.link_lookup(ifname=BRIDGE)[0]
        for port in ports:
            ip.link("set", index=ip.link_lookup(ifname=port)[0], master=bridge, state="up")
        ip.link("set", index=bridge, state="up")

    namespace.run(inside)


def delete_devices(namespace: Namespace) -> None:
    """By name, not with the namespace: that goes only when nobody, such as a thread elsewhere, holds it any more."""

    def inside() -> None:
        for device in links.devices():
            if device.kind in ("veth", "bridge"):
                links.delete(device.ifindex)

    namespace.run(inside)
