"""Which interfaces of a target carry its traffic, each packet once, and which are left out unless a rule names them, and why."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from netweather.kernel.bpf.hooks import DIRECTIONS, Hook
from netweather.kernel.bpf.libbpf import Program
from netweather.kernel.datapath.spec import LeftOut
from netweather.kernel.netlink.links import ARPHRD_ETHER, MAX_MTU, PORT, Device

LOOPBACK: Final = 772
LAYER3: Final = frozenset({519, 768, 769, 776, 0xFFFE})
"""Raw IP, IP in IP (4 and 6), SIT, none (tun, WireGuard): hardware types whose packets begin with the IP header."""
UNFIT: Final = {778: "packets that come in have GRE's own header in front", 823: "packets that come in have GRE's own header in front",
                512: "rules match its packets only on the interface below it"}  # fmt: skip
TUNNELS: Final = frozenset({
    "amt", "bareudp", "batadv", "erspan", "geneve", "gre", "gretap", "gtp", "ip6erspan", "ip6gre", "ip6gretap", "ip6tnl", "ipip",
    "l2tpeth", "macsec", "ovpn", "ovpn-dco", "sit", "vti", "vti6", "vxlan", "wireguard", "xfrm",
})  # fmt: skip
"""Kinds of interfaces whose packets leave inside other packets."""
_NOT_A_WAY: Final = frozenset({"ifb", "dummy", "nlmon", "tun"}) | TUNNELS
_FORWARDING: Final = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")


@dataclass(frozen=True)
class Interfaces:
    """covered: those whose traffic is looked at. left_out: the others that are worth a word.

    layer3: the names of those without link headers. forwards: packets may pass two interfaces, one after the other.
    """

    covered: tuple[Device, ...]
    left_out: tuple[LeftOut, ...]
    layer3: frozenset[str]
    forwards: bool


def sort_out(devices: list[Device]) -> Interfaces:
    """Sorts the interfaces of a namespace, inside of which it runs.

    What lies on another (a VLAN, a macvlan) or has members (a bridge, a bond, a team) is looked at there, and not even left out.
    """
    masters = {d.master for d in devices}
    usable = [d for d in devices if d.hardware != LOOPBACK and not d.ours and d.name != PORT]
    own = [d for d in usable if d.kind in TUNNELS or (d.kind != "bridge" and d.ifindex not in masters and d.lower is None)]
    has_way = any(d.kind not in _NOT_A_WAY and not d.inner and _carries(d) for d in own)
    covered, left_out = [], []
    for device in own:
        why = _why_not(device, has_way=has_way)
        if why is None:
            covered.append(device)
        else:
            hides = device.kind in TUNNELS or device.kind == "tun" or device.hardware in UNFIT
            left_out.append(LeftOut(device.name, device.ifindex, why, hides and device.kind != "ppp", device.up, _fits(device)))
    layer3 = frozenset(d.name for d in own if d.hardware in LAYER3)
    return Interfaces(tuple(covered), tuple(left_out), layer3, _forwards(devices, len(covered)))


def hidden(hook: Hook, covered: tuple[Device, ...], ours: Mapping[str, Program]) -> tuple[str, ...]:
    """Programs in front of ours, which may keep traffic from us, and packets that are too large for lines. In words.

    ours: those that are known, by name.
    """
    known = {name: program.id for name, program in ours.items()}
    front = [
        f"{what} runs before ours at {direction} of {device.name}"
        for device in covered
        for direction in DIRECTIONS
        for what in hook.in_front(device.ifindex, direction, f"nw_{direction}", known.get(f"nw_{direction}", 0))
    ]
    large = [
        f"the MTU of {device.name} is {device.mtu}: packets of more than {MAX_MTU} bytes that match a rule are lost"
        for device in covered
        if device.mtu > MAX_MTU
    ]
    return (*front, *large)


def _fits(device: Device) -> bool:
    """Whether a rule may name it. An ifb knows by the packet itself where that goes next, and a line loses this."""
    return _carries(device) and device.kind != "ifb"


def _carries(device: Device) -> bool:
    return device.hardware == ARPHRD_ETHER or device.hardware in LAYER3


def _why_not(device: Device, *, has_way: bool) -> str | None:
    if not _carries(device):
        return UNFIT.get(device.hardware, "it carries neither Ethernet's frames nor IP packets")
    if device.kind == "ifb":
        return "it shapes packets of another interface, where rules match them"
    if has_way and device.kind in TUNNELS:
        return f"a tunnel ({device.kind}): its packets pass another interface, inside other packets"
    if has_way and device.inner:
        return "both ends of this pair are in the target: its packets pass another interface, too"
    if has_way and device.kind == "tun":
        return "a program or tc sends its packets on through another interface"
    return None


def _forwards(devices: list[Device], covered: int) -> bool:
    """Whether packets may pass two interfaces, one after the other."""
    members = [d.master for d in devices if d.master is not None]
    bridges = {d.ifindex for d in devices if d.kind == "bridge"}
    if any(members.count(bridge) > 1 for bridge in bridges):
        return True
    return covered > 1 and any(_is_on(setting) for setting in _FORWARDING)


def _is_on(setting: str) -> bool:
    with contextlib.suppress(OSError):  # without IPv6
        return Path("/proc/sys/net", setting).read_text().strip() != "0"
    return False
