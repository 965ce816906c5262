"""host/lab_start.py as it is run: a script that nothing of the package is loaded for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from netweather.host import lab_start
from tests.support.machine import SLOW
from tests.support.netns import Lab


def run(namespace: Path, hosts: Path, *command: str) -> subprocess.CompletedProcess[str]:
    with namespace.open() as file:
        words = [sys.executable, "-I", "-S", lab_start.__file__, str(file.fileno()), str(hosts), *command]
        return subprocess.run(words, pass_fds=[file.fileno()], capture_output=True, text=True, timeout=30 * SLOW, check=False)


def test_it_becomes_the_command_inside(lab: Lab, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.2 shop\n")
    done = run(lab.client.path, hosts, "sh", "-c", "readlink /proc/self/ns/net; getent hosts shop; ls /proc/self/fd | wc -l")
    network, name, descriptors = done.stdout.splitlines()
    assert network == f"net:[{lab.client.path.stat().st_ino}]" != os.readlink("/proc/self/ns/net")
    assert name.split() == ["192.0.2.2", "shop"]
    assert int(descriptors) <= 4, "the namespace's descriptor is closed"


def test_no_such_command(lab: Lab, tmp_path: Path) -> None:
    done = run(lab.client.path, Path("/etc/hosts"), "no-such-program")
    assert (done.returncode, done.stderr) == (127, "no-such-program: No such file or directory\n")
