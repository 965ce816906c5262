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
from netweather.host import wiring
from netweather.kernel import namespaces
from netweather.kernel.datapath.pump_process import Process
from netweather.targets import occupants, resolve
from netweather.targets.runtimes.netns import DIRECTORY

FOLDER = Path(DIRECTORY)
ROLES = ("client", "shop", "payment")
CLIENT, SHOP, SHOP_INSIDE, PAYMENT = "192.0.2.1", "192.0.2.2", "192.0.2.5", "192.0.2.6"
_NAME = re.compile(r"nwd-(\d+)-(\d+)-(client|shop|payment)")


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
            wiring.settle(end, ipv6=False)
        wiring.join(near, one[1], far, other[1])
        wiring.raise_device(near, one[1], [f"{one[2]}/30"])
        wiring.raise_device(far, other[1], [f"{other[2]}/30"])


def remove(beginning: str) -> None:
    """Undoes `make`, whatever there is of it: processes, devices, namespaces."""
    for role in ROLES:
        path = path_of(beginning, role)
        if namespaces.is_mounted(path):
            _end_processes(path)
            with contextlib.suppress(OSError, NetweatherError), namespaces.opened(path) as namespace:
                wiring.delete_devices(namespace)
        namespaces.remove(path)


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
