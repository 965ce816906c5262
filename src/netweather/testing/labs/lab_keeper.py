"""A lab ends with its owner, however that ends: a process that waits for the owner's death, and then takes the lab away.

Names tell whose they are (nwlab-PID-START-NUMBER-HOST), so what a killed owner and a killed keeper leave is found by the next lab.
Run as a script, `python -P lab_keeper.py STEM`: while it waits nothing of the package is loaded but this.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import select
import shutil
import signal
import sys
import tempfile
from pathlib import Path

FOLDER = Path("/run/netns")
PREFIX = "nwlab-"
_STEM = re.compile(r"(nwlab-(\d+)-(\d+)-\d+)(-.*)?")
_numbers = itertools.count()


def _started(pid: int) -> int:
    """When a process started, in ticks since boot; 0 when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def stem() -> str:
    """The beginning of the names of a new lab of this process."""
    return f"{PREFIX}{os.getpid()}-{_started(os.getpid())}-{next(_numbers)}"


def folder_of(beginning: str) -> Path:
    """Where a lab's logs and hosts files are."""
    return Path(tempfile.gettempdir(), beginning)


def forsaken() -> list[str]:
    """The stems of labs whose owner is dead."""
    found = set()
    for path in [*FOLDER.glob(f"{PREFIX}*"), *Path(tempfile.gettempdir()).glob(f"{PREFIX}*")]:
        name = _STEM.fullmatch(path.name)
        if name and _started(int(name[2])) != int(name[3]):
            found.add(name[1])
    return sorted(found)


def left(beginning: str) -> list[str]:
    """What there is of a lab's namespaces."""
    return sorted(path.name for path in FOLDER.glob(f"{beginning}-*"))


def remove(beginning: str) -> None:
    """Takes a lab away, whatever there is of it: conditions, processes, devices, namespaces, files."""
    from netweather.errors import NetweatherError
    from netweather.host import wiring
    from netweather.kernel import namespaces

    for name in left(beginning):
        path = FOLDER / name
        if namespaces.is_mounted(path):
            _end_processes(path)
            with contextlib.suppress(OSError, NetweatherError), namespaces.opened(path) as namespace:
                wiring.delete_devices(namespace)
        namespaces.remove(path)
    shutil.rmtree(folder_of(beginning), ignore_errors=True)


def remove_forsaken(beginning: str) -> None:
    """The same for a lab whose owner was killed: its conditions are undone too, at once and not at their lease's end."""
    from netweather.engine import Engine
    from netweather.errors import NetweatherError
    from netweather.targets import resolve

    for name in left(beginning):
        with contextlib.suppress(NetweatherError, OSError), resolve(f"netns:{FOLDER / name}")[0] as target:
            Engine(held="drop").clear(target)
    remove(beginning)


def _end_processes(path: Path) -> None:
    """Several times: what is being killed may still be starting others."""
    from netweather.errors import NetweatherError
    from netweather.kernel.datapath.pump_process import ProcessHandle
    from netweather.kernel.waiting import until
    from netweather.targets import occupants, resolve

    with contextlib.suppress(NetweatherError), resolve(f"netns:{path}")[0] as target:

        def gone() -> bool:
            found = [process for pid in occupants(target, ignoring={os.getpid()}) if (process := ProcessHandle.of(pid))]
            for process in found:
                process.signal(signal.SIGKILL)
            return not found

        until(gone, 5.0, 0.01)


def _wait_for_death(pid: int, started: int) -> None:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    if _started(pid) == started:  # only now: the number may have been reused before the descriptor pinned it
        select.select([fd], [], [])


def main(arguments: list[str]) -> None:
    """Entry point: waits for the owner that the stem names, then removes the lab."""
    (beginning,) = arguments
    found = _STEM.fullmatch(beginning)
    if found is None:
        sys.exit(f"{beginning} is not the name of a lab")
    _wait_for_death(int(found[2]), int(found[3]))
    remove_forsaken(beginning)


if __name__ == "__main__":
    main(sys.argv[1:])
