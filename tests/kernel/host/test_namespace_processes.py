"""host/namespace_processes.py: processes inside a namespace; here the machine's own, which needs no making."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from netweather.host import local_services, namespace_processes
from netweather.host.namespace_processes import Child
from netweather.kernel.datapath.pump_process import ProcessHandle
from tests.support.netns import Lab
from tests.support.rig import until


@pytest.fixture
def own() -> Iterator[int]:
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n")
    return path


def test_it_is_signalled_frozen_and_ended_with_its_descendants(own: int, hosts: Path, tmp_path: Path) -> None:
    command = ["sh", "-c", "trap 'echo heard; exit 5' TERM; sleep 300 & echo $!; wait"]
    child = Child(command, own, hosts, tmp_path / "log", os.environ, None)
    until(child.text, 20, "its first line")
    descendant = int(child.text())
    child.signal(signal.SIGSTOP)
    until(lambda: Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", 20, "it is frozen")
    assert child.running
    assert child.stop() == 5
    assert child.text().endswith("heard\n")
    until(lambda: ProcessHandle.of(descendant) is None, 20, "what it started ends with it")
    assert child.kill() == 5


def test_one_that_hears_nothing_is_killed(own: int, hosts: Path, tmp_path: Path) -> None:
    child = Child(
        ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.02; done"], own, hosts, tmp_path / "log", os.environ, None
    )
    until(child.text, 20, "its first line")
    assert child.wait(0.01) is None
    assert child.stop(0.1) == -signal.SIGKILL


def test_it_has_its_folder_environment_and_hosts_file(own: int, hosts: Path, tmp_path: Path) -> None:
    done = namespace_processes.run(
        ["sh", "-c", "echo $WORD; cat /etc/hosts; cat"], own, hosts, {**os.environ, "WORD": "yes"}, "in", 30
    )
    assert (done.exit, done.stdout) == (0, "yes\n127.0.0.1 localhost\nin")
    assert Path("/etc/hosts").read_text() != hosts.read_text()
    child = Child(["pwd"], own, hosts, tmp_path / "log", os.environ, tmp_path)
    assert child.wait(30) == 0
    assert child.text().strip() == str(tmp_path)


def test_one_that_takes_too_long(own: int, hosts: Path) -> None:
    with pytest.raises(TimeoutError, match=r"sleep did not end within 0\.1 s"):
        namespace_processes.run(["sleep", "60"], own, hosts, os.environ, "", 0.1)


def test_who_listens_is_told_by_the_kernel_of_that_namespace_alone(lab: Lab) -> None:
    with (
        lab.server.call(socket.create_server, ("192.0.2.2", 8080)),
        lab.server.call(socket.socket, type=socket.SOCK_DGRAM) as bound,
    ):
        bound.bind(("192.0.2.2", 5004))
        there = lab.server.start("sleep", "60").pid
        until(lambda: os.readlink(f"/proc/{there}/ns/net") != os.readlink("/proc/self/ns/net"), 20, "it is inside")
        assert local_services.listens(there, "tcp", 8080)
        assert local_services.listens(there, "udp", 5004)
        assert not local_services.listens(there, "tcp", 5004)
        assert not local_services.listens(os.getpid(), "udp", 5004)


def test_a_script_beside_us_outlives_nothing_but_a_kill(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys, time\nopen(sys.argv[1], 'w').close()\ntime.sleep(300)\n")
    with namespace_processes.beside(script, str(tmp_path / "up")) as pid:
        until((tmp_path / "up").exists, 20, "it runs")
        assert os.getsid(pid) == pid != os.getsid(0)
    assert not Path(f"/proc/{pid}").exists()
