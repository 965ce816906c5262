"""Where the shop stands: three namespaces of its own, joined by two veth pairs, with documentation addresses.

    nwd-PID-START-client  eth0 192.0.2.1 ══ 192.0.2.2 eth0  …-shop  eth1 192.0.2.5 ══ 192.0.2.6 eth0  …-payment

The name tells whose they are (a process by pid and start time), so a later demo recognises what a killed one left.
Not here: what runs in them (processes), and their conditions, which are the engine's.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from pathlib import Path

from netweather.errors import NetweatherError
from netweather.kernel import links, namespaces
from netweather.kernel.pump import Process
from netweather.targets import occupants, resolve
from netweather.targets.netns import DIRECTORY

FOLDER = Path(DIRECTORY)
ROLES = ("client", "shop", "payment")
CLIENT, SHOP, SHOP_INSIDE, PAYMENT = "192.0.2.1", "192.0.2.2", "192.0.2.5", "192.0.2.6"
_NAME = re.compile(r"nwd-(\d+)-(\d+)-(client|shop|payment)")
_SETTINGS = {  # nothing is sent that nobody asked for, and TCP is the same on every machine
    "net/ipv6/conf/default/disable_ipv6": "1",
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv4/tcp_congestion_control": "cubic",
    "net/ipv4/tcp_rmem": "4096 131072 16777216",
    "net/ipv4/tcp_wmem": "4096 65536 16777216",
    "net/ipv4/tcp_no_metrics_save": "1",
}


def stem() -> str:
    """The beginning of this process's names."""
    process = Process.of(os.getpid())
    return f"nwd-{os.getpid()}-{process.start if process else 0}"


def owner_of(name: str) -> Process | None:
    """The process that a namespace's name tells, dead or alive; None for a name that is not the demo's."""
    found = _NAME.fullmatch(name)
    return Process(int(found[1]), int(found[2])) if found else None


def path_of(beginning: str, role: str) -> Path:
    return FOLDER / f"{beginning}-{role}"


def make(beginning: str) -> None:
    """Makes and joins the namespaces. Raises NetweatherError(code="demo-failed"); `remove` takes away what was made."""
    try:
        for role in ROLES:
            namespaces.make(path_of(beginning, role))
        _join(beginning, ("client", "eth0", CLIENT), ("shop", "eth0", SHOP))
        _join(beginning, ("shop", "eth1", SHOP_INSIDE), ("payment", "eth0", PAYMENT))
    except OSError as error:
        raise NetweatherError(
            "demo-failed",
            "the demo's network namespaces could not be made",
            str(error),
            "in a container, run it with --privileged",
        ) from error


def _join(beginning: str, one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    with namespaces.opened(path_of(beginning, one[0])) as near, namespaces.opened(path_of(beginning, other[0])) as far:
        for end in (near, far):
            end.run(_settle)
        near.run(lambda: _make_pair(one[1], other[1], far.fd))
        near.run(lambda: _raise(one[1], one[2]))
        far.run(lambda: _raise(other[1], other[2]))


def _settle() -> None:
    for name, value in _SETTINGS.items():
        with contextlib.suppress(OSError):  # no IPv6 or no cubic in this kernel: then the demo goes without
            Path("/proc/sys", name).write_text(value)


def _make_pair(near: str, far: str, far_fd: int) -> None:
    links.netlink().link("add", ifname=near, kind="veth", peer={"ifname": far, "net_ns_fd": far_fd})


def _raise(name: str, address: str) -> None:
    ip = links.netlink()
    index = ip.link_lookup(ifname=name)[0]
    ip.addr("add", index=index, address=address, prefixlen=30)
    ip.link("set", index=index, state="up")
    ip.link("set", index=ip.link_lookup(ifname="lo")[0], state="up")


def remove(beginning: str) -> None:
    """Undoes `make`, whatever there is of it: processes, devices, namespaces."""
    for role in ROLES:
        path = path_of(beginning, role)
        if namespaces.is_mounted(path):
            _end_processes(path)
            with contextlib.suppress(OSError, NetweatherError), namespaces.opened(path) as namespace:
                namespace.run(_delete_devices)
        namespaces.remove(path)


def _delete_devices() -> None:
    """By name, not with the namespace: that goes only when nobody, such as a thread elsewhere, holds it any more."""
    for device in links.devices():
        if device.kind == "veth":
            links.delete(device.ifindex)


def _end_processes(path: Path) -> None:
    with contextlib.suppress(NetweatherError), resolve(f"netns:{path}")[0] as target:
        for pid in occupants(target, ignoring={os.getpid()}):
            process = Process.of(pid)
            if process is not None:
                process.signal(signal.SIGKILL)


def left(beginning: str) -> list[str]:
    """What is still there of the namespaces with this beginning: none after `remove`."""
    return sorted(path.name for path in FOLDER.glob(f"{beginning}-*"))


def forsaken() -> list[str]:
    """The beginnings of namespaces whose demo is dead."""
    found = set()
    for path in FOLDER.glob("nwd-*"):
        owner = owner_of(path.name)
        if owner is not None and not owner.alive:
            found.add(path.name.rpartition("-")[0])
    return sorted(found)
