"""tests/support: what other tests stand on. Nothing may be left behind, however a session ends."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import containerd as containerd_support
from tests.support import daemons, machine, netns, outcomes, owner, speed
from tests.support import docker as docker_support
from tests.support import podman as podman_support
from tests.support.repository import ROOT


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds * machine.SLOW
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def start(body: str) -> subprocess.Popen[str]:
    """A session of its own that says `ready` and the rest of its line, and then waits to be killed."""
    code = f"import time\nfrom tests.support import containerd, docker, netns, podman\n{body}\n    time.sleep(600)"
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def ready(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout
    word, *rest = process.stdout.readline().split()
    assert word == "ready"
    return rest


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


class TestOwner:
    def test_a_living_process_owns_its_things(self) -> None:
        assert owner.alive(f"nwt-{owner.tag()}-0-client")

    def test_a_dead_one_owns_nothing(self) -> None:
        process = subprocess.Popen(["sleep", "600"])
        name = f"nwt-{owner.tag(process.pid)}-0-client"
        assert owner.alive(name)
        process.kill()
        process.wait()
        assert not owner.alive(name)

    def test_a_reused_number_is_somebody_else(self) -> None:
        assert not owner.alive(f"nwt-{os.getpid():x}x1-0-client")

    def test_what_has_no_tag_is_not_ours_to_judge(self) -> None:
        assert owner.alive("nwt-targets")


class TestMachine:
    def test_alone_is_alone(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
        order: list[str] = []

        def other() -> None:
            with machine.machine(alone=True):
                order.append("alone")

        with machine.machine(alone=False), machine.machine(alone=False):
            thread = threading.Thread(target=other)
            thread.start()
            time.sleep(0.1)
            order.append("shared")
        thread.join()
        assert order == ["shared", "alone"]

    def test_patience_ends(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
        monkeypatch.setattr(machine, "PATIENCE", 0.05)
        with machine.machine(alone=True) as first, machine.machine(alone=False) as second:
            assert first
            assert not second


class TestSpeed:
    def test_one_stall_makes_no_slow_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for rounds, expected in (((1.0, 1.0, 9.0), 1.0), ((1.1, 1.2, 1.0), 1.0), ((2.0, 2.1, 9.0), 2.1), ((0.5, 0.4, 3.0), 1.0)):
            took = iter([each * speed.USUAL_S for each in rounds])
            monkeypatch.setattr(speed, "_round", lambda took=took: next(took))
            assert speed.slowness() == expected

    def test_every_patience_of_a_test_grows(self, request: pytest.FixtureRequest) -> None:
        marker = request.node.get_closest_marker("timeout")
        assert marker.args == (60 * machine.SLOW,)


class TestOutcomes:
    def session(self, folder: Path, *options: str) -> outcomes.Outcomes:
        (folder / "test_it.py").write_text(
            "import pytest\n"
            "def test_good(): pass\n"
            "def test_bad(): assert 1 == 2\n"
            "def test_none(): pytest.skip('not here')\n"
            "@pytest.fixture\ndef broken(): raise RuntimeError('broken')\n"
            "def test_error(broken): pass\n"
        )
        file = folder / "outcomes"
        command = ["-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.support.outcomes", f"--outcomes={file}"]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        subprocess.run(
            [sys.executable, *command, *options, "test_it.py"], cwd=folder, env=environment, check=False, capture_output=True
        )
        return outcomes.read(file.read_text())

    def test_what_became_of_each(self, tmp_path: Path) -> None:
        found = self.session(tmp_path)
        assert found.passed == ["test_it.py::test_good"]
        assert list(found.failed) == ["test_it.py::test_bad", "test_it.py::test_error"]
        assert "assert 1 == 2" in found.failed["test_it.py::test_bad"]
        assert found.skipped == {"test_it.py::test_none": "not here"}
        assert (found.not_run, str(found)) == ([], "1 passed, 2 failed, 1 skipped, 0 not run")

    def test_no_test_starts_when_the_time_is_over(self, tmp_path: Path) -> None:
        assert len(self.session(tmp_path, "--seconds", "0").not_run) == 4

    def test_a_line_that_was_not_ended_does_not_count(self) -> None:
        lines = '{"collected": ["a", "b"]}\n{"test": "a", "outcome": "passed", "said": "", "seconds": 1}\n{"test": "b", "outc'
        found = outcomes.read(lines)
        assert (found.passed, found.not_run) == (["a"], ["b"])


@pytest.mark.root
class TestLab:
    def test_both_families_work_at_once(self, lab: netns.Lab) -> None:
        for address in (lab.server.v4, lab.server.v6):
            lab.client.run("ping", "-c1", "-W2", str(address))

    def test_a_bystander_is_on_the_same_bridge(self) -> None:
        with netns.lab(bystander=True) as net:
            assert net.bystander
            for one in (net.client, net.server):
                net.bystander.run("ping", "-c1", "-W2", str(one.v6))
                net.bystander.run("ping", "-c1", "-W2", str(one.v4))

    def test_there_is_no_way_out(self, lab: netns.Lab) -> None:
        assert lab.client.run("ip", "route", "show", "default").stdout == ""

    def test_sockets_stay_inside(self, lab: netns.Lab) -> None:
        place = (str(lab.server.v4), 80)
        with (
            lab.server.call(socket.create_server, place) as listener,
            lab.client.call(socket.create_connection, place) as client,
        ):
            accepted, peer = listener.accept()
            with accepted:
                assert peer == client.getsockname()
        with pytest.raises(ConnectionRefusedError):
            lab.client.call(socket.create_connection, place)

    def test_a_failing_command_shows_its_output(self, lab: netns.Lab) -> None:
        with pytest.raises(AssertionError, match="exit 3\nmore"):
            lab.client.run("sh", "-c", "echo more; exit 3")

    def test_nothing_is_left(self) -> None:
        with netns.lab(bystander=True) as net:
            process = net.client.start("sleep", "600")
            paths = [one.path for one in net.namespaces]
            assert all(path.exists() for path in paths)
        assert process.poll() is not None
        assert not any(path.exists() for path in paths)

    def test_the_next_session_sweeps_after_a_killed_one(self) -> None:
        session = start(
            "with netns.lab() as net:\n    net.client.start('sleep', '600')\n    print('ready', net.client.name, flush=True)"
        )
        (name,) = ready(session)
        kill(session)
        assert (netns.FOLDER / name).exists()
        with netns.lab():
            assert not (netns.FOLDER / name).exists()


@pytest.mark.root
class TestDocker:
    def test_containers_reach_each_other(self, docker: docker_support.Docker) -> None:
        with docker.container() as here, docker.container() as there:
            docker("exec", here, "ping", "-c1", "-W2", docker.address(there))

    def test_a_container_is_a_process_of_this_machine(self, docker: docker_support.Docker) -> None:
        with docker.container("sleep", "777") as name:
            pid = docker.inspect(name)["State"]["Pid"]
            assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x00777\x00"

    def test_a_failing_command_shows_its_error(self, docker: docker_support.Docker) -> None:
        with pytest.raises(AssertionError, match="No such container"):
            docker("exec", "nobody", "true")


@pytest.mark.root
class TestDaemons:
    """What is killed is a session of its own, with a daemon of its own; the fixtures are there to have one worker do it."""

    def test_docker_ends_with_a_killed_session(self, docker: docker_support.Docker) -> None:
        self.killed(
            "with docker.daemon() as it, it.container('sleep', '4242') as name:\n"
            "    print('ready', it.socket.parent, it.inspect(name)['State']['Pid'], flush=True)"
        )

    def test_podman_ends_with_a_killed_session(self, podman: podman_support.Podman) -> None:
        self.killed(
            "with podman.daemon() as it, it.container('sleep', '4243') as name:\n"
            "    print('ready', it.socket.parent, it.inspect(name)['State']['Pid'], flush=True)"
        )

    def test_containerd_ends_with_a_killed_session(self, containerd: containerd_support.Containerd) -> None:
        self.killed(
            "with containerd.daemon() as it, it.pod() as pod:\n"
            "    print('ready', it.socket.parent, it.ctr('-n', 'k8s.io', 'tasks', 'ls').split()[-2], flush=True)"
        )

    def killed(self, body: str) -> None:
        """Nobody sweeps: the watcher alone ends the daemon and its containers, and takes everything of it away."""
        session = start(body)
        where, container = ready(session)
        home, inside = Path(where), owner.tag(int(container))
        before = mounts()
        kill(session)
        wait_until(lambda: not home.exists())
        assert not owner.alive(inside)
        assert daemons.processes(home) == set()
        assert mounts() <= before
        assert [path for path in Path("/sys/fs/cgroup").glob(f"*/{home.name}") if path.is_dir()] == []

    def test_the_next_session_sweeps_when_the_watcher_died_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
        dead = subprocess.Popen(["sleep", "600"])
        home = tmp_path / f"nwt-docker-{owner.tag(dead.pid)}-x"
        home.mkdir()
        with subprocess.Popen(["sh", "-c", f": {home}; sleep 600 & wait"]) as left:
            wait_until(lambda: len(daemons.processes(home)) == 2)
            assert daemons.sweep("nwt-docker-") == []
            dead.kill()
            dead.wait()
            assert daemons.sweep("nwt-docker-") == [home.name]
            assert left.wait(5) == -signal.SIGKILL
        assert not home.exists()


@pytest.mark.root
class TestGuest:
    def test_what_is_tied_to_a_session_ends_with_it(self) -> None:
        number = f"{100_000 + os.getpid()}"
        session = start(
            "import subprocess\nfrom tests.support.guest import TIED\n"
            f"with subprocess.Popen([*TIED, 'sh', '-c', 'sleep {number} & wait']):\n    print('ready', flush=True)"
        )
        ready(session)
        wait_until(lambda: running(f"sleep\0{number}\0"))
        kill(session)
        wait_until(lambda: not running(number))


def running(words: str) -> list[str]:
    """The processes that have these words in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += [path.parent.name] if words.encode() in path.read_bytes() else []
    return found


def mounts() -> set[str]:
    lines = Path("/proc/mounts").read_text().splitlines()
    return {line.split()[1] for line in lines if any(prefix in line for prefix in daemons.PREFIXES)}
