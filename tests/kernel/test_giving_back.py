"""Giving back works under any fault: journals that can't be read, disks that can't be written, processes that are dead or alive."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netweather.conditions import Condition
from tests.kernel.agent.conftest import PROGRAM, RealAgent, real_agent
from tests.kernel.conftest import MakeRig
from tests.support import dumps
from tests.support.machine import SLOW
from tests.support.rig import Rig, delay, ports, rule, until
from tests.support.traffic import Echo, round_trip, udp_client

LEASE_S = 4.0


# what is wrong with the journal


def emptied(journal: Path) -> None:
    journal.write_text("")


def truncated(journal: Path) -> None:
    os.truncate(journal, journal.stat().st_size // 2)


def corrupted(journal: Path) -> None:
    journal.write_bytes(os.urandom(300))


def of_a_newer_version(journal: Path) -> None:
    journal.write_text(json.dumps({**json.loads(journal.read_text()), "version": 99, "more": {}}))


def a_directory_in_its_place(journal: Path) -> None:
    journal.unlink()
    journal.mkdir()


def a_link_in_its_place(journal: Path) -> None:
    journal.unlink()
    journal.symlink_to("/proc/self/status")


def gone(journal: Path) -> None:
    journal.unlink()


# what is wrong with the disk


def full(state: Path) -> None:
    """Not a byte more, and no new file."""
    with contextlib.suppress(OSError), (state / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)):
            pass
    with contextlib.suppress(OSError), (state / "filler").open("ab", buffering=0) as file:
        while file.write(b"."):
            pass
    with contextlib.suppress(OSError):
        for number in range(100_000):
            (state / f"filler{number}").touch()


def read_only(state: Path) -> None:
    """As after an error of the disk. Whoever has a file open for writing would refuse it: those are killed first."""
    for each in ("pump", "keeper"):
        for file in state.glob(f"targets/*/{each}.pid"):
            pid = int(file.read_text().split()[0])
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
    until(
        lambda: not subprocess.run(["mount", "-o", "remount,ro", str(state)], capture_output=True).returncode, 20, "nobody writes"
    )


JOURNALS = [emptied, truncated, corrupted, of_a_newer_version, a_directory_in_its_place, a_link_in_its_place, gone]
DISKS = [full, read_only]
ENDS = ["clear", "clear --all", "recover"]


USUAL = [(wrong, how) for wrong in JOURNALS for how in ENDS if wrong is truncated or (how == "clear" and wrong is not emptied)]
"""One of each; the others are tried by `make test-full`."""
WRONG = [
    pytest.param(wrong, how, marks=[pytest.mark.full] * ((wrong, how) not in USUAL), id=f"{wrong.__name__}, {how}")
    for wrong in JOURNALS
    for how in ENDS
]
KEPT = [pytest.param(each, marks=[pytest.mark.full] * (each not in (truncated, gone)), id=each.__name__) for each in JOURNALS]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state directory with a small disk of its own."""
    path = tmp_path / "state"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=200", "nwt", str(path)], check=True)
    yield path
    subprocess.run(["mount", "-o", "remount,rw", str(path)], check=True)
    until(lambda: subprocess.run(["umount", "-R", str(path)], capture_output=True).returncode == 0, 20, "nobody uses it")


def processes(rig: Rig) -> list[str]:
    return [each for each in rig.remains() if each.startswith("process")]


@pytest.fixture
def given(state: Path, make_rig: MakeRig) -> Iterator[Rig]:
    """A rig with a delay and a block in force, which must be as before at the end."""
    with make_rig() as rig, Echo(rig.net.server, [7, 9]):
        before = {namespace: dumps.settled(namespace) for namespace in rig.net.namespaces}
        rig.set(rule(delay(60)), rule(Condition(block="drop"), priority=-1, ports=ports(9)), lease=LEASE_S)
        yield rig
        with udp_client(rig.net.client, "192.0.2.2", 9) as connection:
            assert round_trip(connection) > 0
        for namespace, dump in before.items():
            dumps.assert_same(dump, namespace)
        until(lambda: not processes(rig), 20, "no process of ours is left")


def command(rig: Rig, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NETWEATHER_STATE": str(rig.state), "COLUMNS": "200"}
    return subprocess.run([*PROGRAM, *words], env=environment, capture_output=True, text=True, timeout=60 * SLOW, check=False)


def end(rig: Rig, how: str) -> None:
    """Ends it by a command, which says so."""
    if how == "recover":
        rig.kill(*(each for each in ("pump", "keeper") if rig.process(each)))
        found = rig.recover()
        assert any(each.taken for each in found), found
        return
    words = ["clear", f"netns:{rig.net.client.name}", "--direct"] if how == "clear" else ["clear", "--all", "--direct"]
    done = command(rig, *words)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("wrong", "how"), WRONG)
def test_whatever_stands_in_the_journal(given: Rig, wrong: Callable[[Path], None], how: str) -> None:
    wrong(given.folder / "journal.json")
    end(given, how)
    assert given.engine.journal.identities() == []


@pytest.mark.parametrize("wrong", KEPT)
def test_the_keeper_ends_a_lease_whatever_stands_in_the_journal(given: Rig, wrong: Callable[[Path], None]) -> None:
    wrong(given.folder / "journal.json")
    until(lambda: not given.folder.exists(), 60, "the keeper has taken it away")


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("wrong", DISKS, ids=lambda one: one.__name__)
def test_on_a_disk_that_can_not_be_written(given: Rig, wrong: Callable[[Path], None], how: str) -> None:
    wrong(given.state)
    with pytest.raises(OSError, match=r"No space left|Read-only"):
        (given.state / "more").write_text("x")
    end(given, how)


def remount(state: Path, how: str) -> None:
    """As soon as nobody has a file open for writing. how: ro or rw."""
    words = ["mount", "-o", f"remount,{how}", str(state)]
    until(lambda: not subprocess.run(words, capture_output=True).returncode, 20, "nobody writes")


@pytest.mark.parametrize("then", ["set", "show", "recover", "agent"])
def test_what_ended_on_a_read_only_disk_does_not_come_back(state: Path, make_rig: MakeRig, then: str) -> None:
    """Its journal could not be removed, and the disk can be written again: nothing keeps it, and the kernel holds nothing of it."""
    with make_rig() as rig:
        rig.set(rule(Condition(block="drop"), ports=ports(9)))
        read_only(state)
        end(rig, "clear")
        assert rig.engine.journal.identities()
        remount(state, "rw")
        if then == "set":
            rig.set(rule(delay(1)), name="other")
            assert [each.condition.name for each in rig.engine.show(rig.target)] == ["other"]
            return
        if then == "agent":
            with real_agent(state):
                until(lambda: not rig.folder.exists(), 20, "the agent removes the journal")
        elif then == "recover":
            rig.recover()
        assert rig.engine.show() == []
        assert rig.engine.journal.identities() == []


@pytest.mark.parametrize("then", ["set", "show", "clear", "agent"])
def test_one_of_two_that_ended_on_a_read_only_disk_does_not_come_back(state: Path, make_rig: MakeRig, then: str) -> None:
    """Its end is in the kernel alone; the user learns that it could not be written."""
    with make_rig() as rig, Echo(rig.net.server, [9]), udp_client(rig.net.client, "192.0.2.2", 9) as connection:
        rig.set(rule(Condition(block="drop"), ports=ports(8)), name="other")
        rig.set(rule(Condition(block="drop"), ports=ports(9)), name="default")
        reference = f"netns:{rig.net.client.name}"
        read_only(state)
        done = command(rig, "clear", reference, "--direct", "--name", "default", "--json")
        (answer,) = json.loads(done.stdout)
        assert (done.returncode, answer["cleared"], answer["problem"]["code"]) == (1, ["default"], "no-state")
        assert "cleared 'default'" in command(rig, "clear", reference, "--direct", "--name", "default").stdout
        assert round_trip(connection) > 0
        assert [(each.condition.name, each.in_force) for each in rig.engine.show(rig.target)] == [("other", True)]
        remount(state, "rw")
        if then == "set":
            rig.set(rule(delay(1), ports=ports(7)), name="third")
            left = {"other", "third"}
        elif then == "clear":
            assert rig.clear("other") == ["other"]
            left = set()
        elif then == "agent":
            with real_agent(state) as made:
                until(lambda: '"default"' not in (rig.folder / "journal.json").read_text(), 20, "the agent writes it down")
                assert "other" in made.cli("show")
                assert round_trip(connection) > 0
            return
        else:
            left = {"other"}
        assert {each.condition.name for each in rig.engine.show(rig.target)} == left
        assert round_trip(connection) > 0


def test_the_keeper_ends_a_lease_on_a_full_disk(given: Rig) -> None:
    full(given.state)
    until(lambda: not given.folder.exists(), 60, "the keeper has taken it away")


def test_one_of_two_ends_on_a_full_disk(given: Rig) -> None:
    given.set(rule(delay(10), protocol="udp"), name="other")
    full(given.state)
    done = command(given, "clear", f"netns:{given.net.client.name}", "--direct", "--name", "default")
    assert done.returncode == 0, done.stdout + done.stderr
    (shown,) = given.engine.show(given.target)
    assert (shown.condition.name, shown.in_force) == ("other", True)
    assert given.clear() == ["other"]


@pytest.fixture
def agent(state: Path, make_rig: MakeRig) -> Iterator[tuple[RealAgent, Rig]]:
    """An agent whose target must be as before at the end, although nobody asks for more."""
    with make_rig() as rig, Echo(rig.net.server, [7]), real_agent(state) as made:
        before = dumps.settled(rig.net.client)
        yield made, rig
        until(lambda: not (rig.folder / "netns").is_mount() and "nw0" not in names(rig), 60, "the devices are gone")
        dumps.assert_same(before, rig.net.client)


def names(rig: Rig) -> str:
    return rig.net.client.run("ip", "-o", "link").stdout


@pytest.mark.parametrize("wrong", [truncated, full], ids=lambda one: one.__name__)
def test_an_agent_clears(agent: tuple[RealAgent, Rig], wrong: Callable[[Path], None]) -> None:
    made, rig = agent
    reference = f"netns:{rig.net.client.name}"
    made.cli("set", reference, "--delay", "60ms", "--for", "5m")
    wrong(made.state if wrong is full else rig.folder / "journal.json")
    made.cli("clear", reference)
    with udp_client(rig.net.client, "192.0.2.2", 7) as connection:
        assert min(round_trip(connection) for _ in range(10)) < 0.12


def test_an_agent_ends_a_lease_whose_journal_can_not_be_read(agent: tuple[RealAgent, Rig]) -> None:
    made, rig = agent
    made.cli("set", f"netns:{rig.net.client.name}", "--delay", "60ms", "--for", "4s")
    truncated(rig.folder / "journal.json")
    until(lambda: not rig.folder.exists(), 60, "the agent takes it away")
