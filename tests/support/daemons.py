"""A container runtime's daemon of our own, whichever: started in a private network and mount namespace, and ended whatever happens.

    with running(PREFIX, command, answers) as home:
        …

Nothing of it shows on the host but its processes, one folder and one socket. When the session is killed a watcher ends the daemon,
containers too (`python -m tests.support.daemons HOME`); should that be killed as well, the next session sweeps.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support import owner
from tests.support.machine import SLOW
from tests.support.watching import if_killed

BUSYBOX = Path("/bin/busybox")
STARTS_S, ENDS_S = 60 * SLOW, 20 * SLOW
PREFIXES = ("nwt-docker-", "nwt-podman-", "nwt-containerd-")


def missing(*commands: str) -> str:
    """Why no daemon that needs these commands can be started here, or nothing."""
    for command in (*commands, "setpriv", "unshare"):
        if not shutil.which(command):
            return f"no {command} here (tools/apt-test.txt lists the packages)"
    return "" if BUSYBOX.exists() else "no static busybox here (tools/apt-test.txt lists the packages)"


def private(command: str, *hidden: str) -> list[str]:
    """A command in namespaces of its own. hidden: folders that are empty there, since what is written there has a fixed place."""
    apart = ["setpriv", "--pdeathsig", "TERM", "unshare", "--net", "--mount", "--propagation", "slave"]
    hide = "".join(f"mkdir -p {folder} && mount -t tmpfs nwt {folder} && " for folder in hidden)
    return [*apart, "sh", "-c", f"ip link set lo up && {hide}exec {command}"]


@contextmanager
def running(
    prefix: str,
    command: Callable[[Path], list[str]],
    answers: Callable[[Path], object],
    environment: Callable[[Path], Mapping[str, str]] = lambda home: os.environ,
) -> Iterator[Path]:
    """The folder in which a daemon runs that answers; nothing of it is left at the end. Needs root.

    prefix: of the folder's name, one of PREFIXES. command, answers, environment: of the daemon of a folder.
    """
    sweep(prefix)
    home = Path(tempfile.mkdtemp(prefix=f"{prefix}{owner.tag()}-"))
    process = None
    with if_killed(sys.executable, "-m", "tests.support.daemons", str(home)):
        try:
            with (home / "log").open("w") as log:
                process = subprocess.Popen(command(home), env=environment(home), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            _wait_ready(process, lambda: answers(home), home)
            yield home
        finally:
            if process:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(ENDS_S)
            clean(home)  # the watcher, too
            if process:
                process.wait()


def _wait_ready(process: subprocess.Popen[bytes], answers: Callable[[], object], home: Path) -> None:
    deadline = time.monotonic() + STARTS_S
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"{home.name} did not start:\n{(home / 'log').read_text()[-3000:]}")
        time.sleep(0.05)


def sweep(*prefixes: str) -> list[str]:
    """Ends the daemons of sessions that are dead and removes their folders; returns their names."""
    found = [path for prefix in prefixes for path in Path(tempfile.gettempdir()).glob(f"{prefix}*")]
    stale = [home for home in found if not owner.alive(home.name)]
    for home in stale:
        clean(home)
    return [home.name for home in stale]


def clean(home: Path) -> None:
    """Kills every process that names this folder in its command, with all below it; removes the folder, and its control groups."""
    family: dict[str, int] = {}
    for _ in range(100):
        # A container whose shim is dead is nobody's child, and may take a moment to die.
        dying = {tag: pid for tag, pid in family.items() if owner.alive(tag)}
        family = dying | {owner.tag(pid): pid for pid in processes(home)}
        if not family:
            break
        for pid in family.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    with suppress(FileNotFoundError):  # the watcher or the next session was quicker
        shutil.rmtree(home)
    groups = [path for path in Path("/sys/fs/cgroup").glob(f"*/{home.name}/**/") if path.is_dir()]
    for group in sorted(groups, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):
            group.rmdir()


def processes(home: Path) -> set[int]:
    """Daemons, shims and monitors have the folder in their commands, Podman's name server in its environment; containers are children."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, parent = (path / "stat").read_text().rpartition(")")[2].split()[:2]
            if state in "ZX":
                continue
            parents[int(path.name)] = int(parent)
            if str(home) in (path / "cmdline").read_text(errors="replace") or f"={home}" in _environ(path):
                found.add(int(path.name))
    found.discard(os.getpid())
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def _environ(process: Path) -> str:
    """Nothing where it is kept from us, as the first process's may be."""
    with suppress(PermissionError):
        return (process / "environ").read_text(errors="replace")
    return ""


def busybox_tree(file: Path) -> None:
    """A root file system of one static busybox, as a tar file for `docker import`."""
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    with tarfile.open(file, "w") as tar:
        for folder in ("bin", "etc", "tmp", "www"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        tar.add(BUSYBOX, "bin/busybox")
        for applet in applets:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            if applet != "busybox":
                tar.addfile(entry)


if __name__ == "__main__":
    clean(Path(sys.argv[1]))


def listens(path: Path) -> bool:
    """Whether a process listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0
