"""A Podman of our own: a real API service in a private network and mount namespace, with a busybox image and one network.

Its network has Podman's own name server (aardvark-dns), which containers ask in their own namespaces. How it starts and ends:
tests.support.daemons.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import daemons
from tests.support.docker import IMAGE, NETWORK, SUBNET, SUBNET6

PREFIX = "nwt-podman-"
HIDDEN = ("/run/netns", "/run/containers", "/run/libpod", "/run/crun", "/run/runc", "/var/lib/containers", "/var/lib/cni")
_numbers = itertools.count()


@dataclass(frozen=True)
class Podman:
    """The service: its socket, and the podman command that speaks to it."""

    socket: Path

    def __call__(self, *command: str, check: bool = True, timeout: float = 60) -> str:
        whole = ["podman", "--url", f"unix://{self.socket}", *command]
        result = subprocess.run(whole, env=_environment(self.socket.parent), capture_output=True, timeout=timeout, check=False)
        if check and result.returncode:
            raise AssertionError(f"{' '.join(whole)}: exit {result.returncode}\n{result.stderr.decode()}")
        return result.stdout.decode().strip()

    def inspect(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("container", "inspect", name))[0]
        return found

    @contextmanager
    def container(self, *command: str, name: str = "", options: tuple[str, ...] = ("--network", NETWORK)) -> Iterator[str]:
        """A running busybox container, on our network unless told otherwise; its name. It is removed at the end."""
        name = name or f"nwt{next(_numbers)}"
        self("run", "-d", "--name", name, "--cgroup-parent", self.groups, *options, IMAGE, *(command or ("sleep", "infinity")))
        try:
            yield name
        finally:
            self("rm", "-f", "-t", "0", name, check=False)

    @contextmanager
    def pod(self, name: str) -> Iterator[str]:
        """A pod with an infra container, removed with all in it at the end."""
        infra = ("--infra-image", f"localhost/{IMAGE}", "--infra-command", "sleep infinity")
        self("pod", "create", "--name", name, "--network", NETWORK, "--cgroup-parent", self.groups, *infra)
        try:
            yield name
        finally:
            self("pod", "rm", "-f", "-t", "0", name, check=False)

    @property
    def groups(self) -> str:
        """Where its control groups are, so that they can be found again."""
        return f"/{self.socket.parent.name}"

    def address(self, name: str) -> str:
        found: str = self.inspect(name)["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
        return found


def missing() -> str:
    """Why no Podman can be started here, or nothing."""
    return daemons.missing("podman", "conmon", "runc")


@contextmanager
def daemon() -> Iterator[Podman]:
    """Starts the service, gives it the image and the network, and leaves nothing of it at the end. Needs root."""
    with daemons.running(PREFIX, _command, _answers, _environment) as home:
        podman = Podman(home / "podman.sock")
        daemons.busybox_tree(home / "busybox.tar")
        podman("import", "-c", 'CMD ["sleep", "infinity"]', str(home / "busybox.tar"), IMAGE)
        podman("network", "create", "--internal", "--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6, NETWORK)
        yield podman


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "CONTAINERS_CONF": f"{home}/containers.conf", "TMPDIR": str(home)}


def _write_configuration(home: Path) -> None:
    # No limit above this process's own can be set without CAP_SYS_RESOURCE, which this machine may lack.
    (home / "containers.conf").write_text(
        f"""[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
default_sysctls = []
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
network_config_dir = "{home}/networks"
"""
    )


def _command(home: Path) -> list[str]:
    _write_configuration(home)
    podman = f"podman --root {home}/root --runroot {home}/run --tmpdir {home}/tmp --storage-driver vfs"
    return daemons.private(f"{podman} system service -t 0 unix://{home}/podman.sock", *HIDDEN)


def _answers(home: Path) -> bool:
    podman = Podman(home / "podman.sock")
    return podman.socket.exists() and bool(podman("version", "-f", "{{.Server.Version}}", check=False))
