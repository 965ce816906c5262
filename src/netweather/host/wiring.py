"""Namespaces of labs, joined by veth pairs and bridges, with documentation addresses and without noise or a way out.

Not here: which hosts there are and what runs in them (netweather.testing), and conditions, which are the engine's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from netweather.kernel.namespaces import Namespace
from netweather.kernel.netlink import links

BRIDGE = "br0"
_SETTINGS = {  # addresses are usable at once, nothing is sent that nobody asked for, and TCP is the same on every machine
    "net/ipv6/conf/default/disable_ipv6": "0",
    "net/ipv6/conf/all/disable_ipv6": "0",
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


def settle(namespace: Namespace) -> None:
    """Makes a new namespace quiet and brings its loopback up. Raises OSError."""

    def inside() -> None:
        for name, value in _SETTINGS.items():
            with contextlib.suppress(OSError):  # no IPv6 or no cubic in this kernel: then the lab goes without
                Path("/proc/sys", name).write_text(value)
        links.bring_up("lo")

    namespace.run(inside)


def join(near: Namespace, device: str, far: Namespace, far_device: str) -> None:
    """A veth pair: `device` here, `far_device` there, both down. Raises OSError."""
    near.run(lambda: links.make_veth(device, far_device, far.fd))


def raise_device(namespace: Namespace, device: str, addresses: Iterable[str]) -> None:
    """Brings a device up with addresses such as 192.0.2.1/28; those of a family that the kernel lacks are left out. Raises OSError."""

    def inside() -> None:
        index = links.bring_up(device)
        for address in addresses:
            try:
                links.add_address(index, address)
            except OSError:
                if ":" not in address:
                    raise

    namespace.run(inside)


def switch(namespace: Namespace, ports: Iterable[str]) -> None:
    """Joins the ports of a namespace by a bridge. Raises OSError."""

    def inside() -> None:
        links.make_bridge(BRIDGE)
        for port in ports:
            links.bring_up(port, BRIDGE)
        links.bring_up(BRIDGE)

    namespace.run(inside)


def delete_devices(namespace: Namespace) -> None:
    """By name, not with the namespace: that goes only when nobody, such as a thread elsewhere, holds it any more."""

    def inside() -> None:
        for device in links.devices():
            if device.kind in ("veth", "bridge"):
                links.delete(device.ifindex)

    namespace.run(inside)
