"""A Docker of our own: a real dockerd in a private network and mount namespace, with a busybox image and one network.

Bridges and mounts live in its namespaces and vanish with it; how it starts and ends: tests.support.daemons.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import daemons

PREFIX = "nwt-docker-"
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


def missing() -> str:
    """Why no Docker can be started here, or nothing."""
    return daemons.missing("dockerd", "docker")


@contextmanager
def daemon() -> Iterator[Docker]:
    """Starts a dockerd, gives it the image and the network, and leaves nothing of it at the end. Needs root."""
    with daemons.running(PREFIX, _command, _answers) as home:
        docker = Docker(home / "docker.sock")
        daemons.busybox_tree(home / "busybox.tar")
        docker("import", "-c", 'CMD ["sleep", "infinity"]', str(home / "busybox.tar"), IMAGE)
        docker("network", "create", "--internal", "--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6, NETWORK)
        yield docker


def _command(home: Path) -> list[str]:
    dockerd = f"dockerd --data-root {home}/data --exec-root {home}/exec --pidfile {home}/pid -H unix://{home}/docker.sock"
    quiet = "--bridge=none --iptables=false --ip6tables=false --ip-forward=false --shutdown-timeout=2"
    return daemons.private(f"{dockerd} {quiet}")


def _answers(home: Path) -> bool:
    docker = Docker(home / "docker.sock")
    return docker.socket.exists() and bool(docker("version", "-f", "{{.Server.Version}}", check=False))
