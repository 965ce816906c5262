"""A Docker of our own: a real dockerd in a private network and mount namespace, with a busybox image and one network.

Nothing of it shows on the host but its processes, one folder and one socket: bridges and mounts live in its namespaces
and vanish with it. It dies with the session (PR_SET_PDEATHSIG), and the next session sweeps what a killed one left.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import owner

PREFIX = "nwt-docker-"
BUSYBOX = Path("/bin/busybox")
IMAGE = "nwt-busybox"
NETWORK = "nwt"
SUBNET, SUBNET6 = "198.51.100.0/24", "2001:db8:51::/64"
ALL_CAPABILITIES = (1 << 38) - 1  # what every kernel since 3.16 has; --privileged asks for all of them
_numbers = itertools.count()


@dataclass(frozen=True)
class Docker:
    """The daemon: its socket, and the docker command that speaks to it."""

    socket: Path

    @property
    def environment(self) -> dict[str, str]:
        """For a process that shall find this daemon, such as the CLI under test."""
        return {**os.environ, "DOCKER_HOST": f"unix://{self.socket}"}

    def __call__(self, *command: str, check: bool = True, stdin: bytes = b"", timeout: float = 60) -> str:
        whole = ["docker", *command]
        result = subprocess.run(whole, env=self.environment, input=stdin, capture_output=True, timeout=timeout, check=False)
        if check and result.returncode:
            raise AssertionError(f"{' '.join(whole)}: exit {result.returncode}\n{result.stderr.decode()}")
        return result.stdout.decode().strip()

    def inspect(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("inspect", name))[0]
        return found

    @contextmanager
    def container(self, *command: str, name: str = "", network: str = NETWORK, options: tuple[str, ...] = ()) -> Iterator[str]:
        """A running busybox container, on our network unless told otherwise; its name. It is removed at the end."""
        name = name or f"nwt{next(_numbers)}"
        self("run", "-d", "--name", name, "--network", network, *options, IMAGE, *(command or ("sleep", "infinity")))
        try:
            yield name
        finally:
            self("rm", "-f", "-v", name, check=False)

    def address(self, name: str, network: str = NETWORK) -> str:
        found: str = self.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"]
        return found


def privileged() -> tuple[str, ...]:
    """`--privileged`, or, where this machine itself lacks a capability and Docker would fail, what netweather needs of it."""
    bounding = int(re.findall(r"^CapBnd:\s+(\w+)", Path("/proc/self/status").read_text(), flags=re.MULTILINE)[0], 16)
    if bounding & ALL_CAPABILITIES == ALL_CAPABILITIES:
        return ("--privileged",)
    capabilities = ("SYS_ADMIN", "SYS_PTRACE", "NET_ADMIN", "NET_RAW", "SETPCAP")
    added = [part for one in capabilities for part in ("--cap-add", one)]
    return (*added, "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--device", "/dev/net/tun")


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


def missing() -> str:
    """Why no Docker can be started here, or nothing."""
    for command in ("dockerd", "docker", "setpriv", "unshare"):
        if not shutil.which(command):
            return f"no {command} here (tools/apt.txt lists the packages)"
    return "" if BUSYBOX.exists() else "no static busybox here (tools/apt.txt lists the packages)"


@contextmanager
def daemon() -> Iterator[Docker]:
    """Starts a dockerd, gives it the image and the network, and leaves nothing of it at the end. Needs root."""
    sweep()
    home = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{owner.tag()}-"))
    process = None
    try:
        with (home / "log").open("w") as log:
            process = subprocess.Popen(_command(home), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        docker = Docker(home / "docker.sock")
        _wait_ready(docker, process, home)
        busybox_tree(home / "busybox.tar")
        docker("import", "-c", 'CMD ["sleep", "infinity"]', str(home / "busybox.tar"), IMAGE)
        docker("network", "create", "--internal", "--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6, NETWORK)
        yield docker
    finally:
        if process:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
        clean(home)
        if process:
            process.wait()


def _command(home: Path) -> list[str]:
    dockerd = f"dockerd --data-root {home}/data --exec-root {home}/exec --pidfile {home}/pid -H unix://{home}/docker.sock"
    quiet = "--bridge=none --iptables=false --ip6tables=false --ip-forward=false --shutdown-timeout=2"
    private = ["setpriv", "--pdeathsig", "TERM", "unshare", "--net", "--mount", "--propagation", "slave"]
    return [*private, "sh", "-c", f"ip link set lo up && exec {dockerd} {quiet}"]


def _wait_ready(docker: Docker, process: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + 60
    while not (docker.socket.exists() and docker("version", "-f", "{{.Server.Version}}", check=False)):
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"dockerd did not start:\n{(home / 'log').read_text()[-3000:]}")
        time.sleep(0.05)


def sweep() -> list[str]:
    """Ends the daemons of sessions that are dead and removes their folders; returns their names."""
    stale = [path for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if not owner.alive(path.name)]
    for home in stale:
        clean(home)
    return [home.name for home in stale]


def clean(home: Path) -> None:
    """Kills every process that names this folder in its command, with all below it, and removes the folder."""
    for _ in range(20):
        family = _family(str(home))
        if not family:
            break
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    shutil.rmtree(home)


def clean_with_groups(home: Path) -> None:
    """`clean`, and the control groups named as the folder: they stay when whoever made them is killed."""
    clean(home)
    groups = [path for path in Path("/sys/fs/cgroup").glob(f"*/{home.name}/**/") if path.is_dir()]
    for group in sorted(groups, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):
            group.rmdir()


def _family(home: str) -> set[int]:
    """dockerd, containerd and the shims have the folder in their commands; containers are the shims' children."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, parent = (path / "stat").read_text().rpartition(")")[2].split()[:2]
            if state in "ZX":
                continue
            parents[int(path.name)] = int(parent)
            if home in (path / "cmdline").read_text(errors="replace"):
                found.add(int(path.name))
    found.discard(os.getpid())
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found
