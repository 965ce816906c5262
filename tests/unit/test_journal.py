from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from netweather import journal as module
from netweather.conditions import Condition, Delay, Match, NetworkCondition, Rule
from netweather.conditions.embedding import embedded
from netweather.errors import NetweatherError
from netweather.journal import Entry, Journal, replace_text
from netweather.kernel.datapath.spec import NEVER, Interface, LineId, RuleId
from netweather.planning.rules import Allocation, InForce, PlainRule
from netweather.results import TargetRef
from netweather.units import Duration

WHOSE = TargetRef("docker:shop", "shop", 4, 4026532000, 17, None, "docker")
CONDITION = NetworkCondition(name="slow", rules=(Rule(Match(to=("docker:db",)), Condition(delay=Delay(Duration(5)))),))
SLOW = RuleId("slow", 0)
RULES = (PlainRule(CONDITION.rules[0], 0, "pump", ("netem is not there",)),)
ENTRY = Entry(
    WHOSE,
    [InForce(CONDITION, {"docker:db": (ip_network("192.0.2.7/32"), ip_network("2001:db8::7/128"))}, NEVER, 12, RULES)],
    Allocation({LineId(SLOW, "egress", "eth0", "pump"): 3}, {SLOW: 1}, {"slow": 0}, {"eth0": 0}),
    (Interface("eth0", 7, 0),),
    state="made",
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(ENTRY)
    assert journal.read(WHOSE.identity) == ENTRY
    assert journal.identities() == ["4-4026532000"]


def test_a_rule_of_a_profile_is_read_as_what_it_was_expanded_to(tmp_path: Path) -> None:
    condition = NetworkCondition(name="slow", rules=(Rule(Match(), Condition(profile="3g")),))
    rules = tuple(PlainRule(part, origin, "pump") for origin, part in embedded(condition).rules)
    entry = replace(ENTRY, conditions=[InForce(condition, {}, NEVER, 12, rules)])
    Journal(tmp_path).write(entry)
    assert Journal(tmp_path).read(WHOSE.identity) == entry
    assert len(rules) == 2


def test_what_a_reader_changes_is_its_own(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(ENTRY)
    entry = journal.read(WHOSE.identity)
    assert entry is not None
    entry.state = "unmaking"
    entry.draining[3] = 12
    for part in (entry.conditions, entry.slots.lines, entry.slots.counters, entry.slots.leases, entry.slots.interfaces):
        part.clear()
    assert journal.read(WHOSE.identity) == ENTRY


def test_nothing_is_there_at_first_and_after_forgetting(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "none")
    assert journal.identities() == []
    assert journal.read("1-2") is None
    journal.write(ENTRY)
    journal.forget(WHOSE.identity)
    assert journal.read(WHOSE.identity) is None


def test_another_version_is_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(ENTRY)
    path = journal.directory(WHOSE.identity) / "journal.json"
    path.write_text(path.read_text().replace('"version": 2', '"version": 99'))
    with pytest.raises(NetweatherError, match="broken-journal"):
        journal.read(WHOSE.identity)


def test_the_lock_is_one_holder_s_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    monkeypatch.setattr(module, "LOCK_PATIENCE_S", 0.05)
    with journal.locked("1-2"), pytest.raises(NetweatherError, match="busy"), journal.locked("1-2"):
        pass
    with journal.locked("1-2"):
        pass
    assert not (tmp_path / "locks" / "1-2").exists()


def test_a_waiter_gets_the_lock_though_its_file_was_removed(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    order: list[str] = []

    def wait() -> None:
        with journal.locked("1-2"):
            order.append("second")

    with journal.locked("1-2"):
        waiter = threading.Thread(target=wait)
        waiter.start()
        order.append("first")
    waiter.join(5)
    assert order == ["first", "second"]


def test_a_text_is_written_whole_though_its_folder_comes_and_goes(tmp_path: Path) -> None:
    path, over = tmp_path / "folder" / "page.json", threading.Event()

    def remove() -> None:
        while not over.wait(0.0002):  # with a rest: whoever makes the folder must have its turn
            with suppress(OSError):
                path.parent.rmdir()

    thread = threading.Thread(target=remove)
    thread.start()
    try:
        for number in range(300):
            replace_text(path, str(number))
            assert path.read_text() == str(number)
            path.unlink()
    finally:
        over.set()
        thread.join()


def test_no_right_to_write_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(NetweatherError, match="no-state"), Journal(file).locked("1-2"):
        pass


def test_locks_of_several_targets_come_and_go_at_once(tmp_path: Path) -> None:
    """The last holder of any lock removes their folder, while another is about to make a lock in it."""
    script = """
import sys
from pathlib import Path
from netweather.journal import Entry, Journal
from netweather.results import TargetRef
journal = Journal(Path(sys.argv[1]))
whose = TargetRef("netns:a", "a", 4, int(sys.argv[2]), None, None, "netns")
for _ in range(400):
    with journal.locked(whose.identity):
        journal.write(Entry(whose))
        journal.forget(whose.identity)
"""
    started = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "state"), str(number)], stderr=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    assert [process.communicate(timeout=50)[1] for process in started] == [""] * 4
    assert not (tmp_path / "state" / "locks").exists()


@pytest.mark.parametrize("broken", ["", "{", "[]", "null", '"text"', '{"version": 1}', "[" * 100_000, "\x00\xff"])
def test_what_is_no_journal_is_told(tmp_path: Path, broken: str) -> None:
    journal = Journal(tmp_path)
    journal.write(ENTRY)
    (journal.directory(WHOSE.identity) / "journal.json").write_text(broken)
    with pytest.raises(NetweatherError, match="broken-journal"):
        journal.read(WHOSE.identity)
    journal.write(ENTRY)
    assert journal.read(WHOSE.identity) == ENTRY


def test_the_journal_of_another_target_is_told(tmp_path: Path) -> None:
    """It was copied or moved; taking it for this one's would change the other's network."""
    journal = Journal(tmp_path)
    journal.write(ENTRY)
    journal.directory(WHOSE.identity).rename(journal.directory("4-1"))
    with pytest.raises(NetweatherError, match="broken-journal"):
        journal.read("4-1")


def a_directory(path: Path) -> None:
    path.mkdir()


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def a_link_to_elsewhere(path: Path) -> None:
    path.symlink_to("/proc/self/status")


IN_PLACE = pytest.mark.parametrize("put", [a_directory, a_link_to_itself, a_link_to_elsewhere], ids=lambda one: one.__name__)


@IN_PLACE
def test_what_stands_in_place_of_a_journal_is_told_and_forgotten(tmp_path: Path, put: Callable[[Path], None]) -> None:
    journal = Journal(tmp_path)
    journal.directory(WHOSE.identity).mkdir(parents=True)
    put(journal.directory(WHOSE.identity) / "journal.json")
    with pytest.raises(NetweatherError, match="broken-journal"):
        journal.read(WHOSE.identity)
    journal.forget(WHOSE.identity)
    assert journal.identities() == []


@IN_PLACE
def test_what_stands_in_place_of_a_directory_is_forgotten_alone(tmp_path: Path, put: Callable[[Path], None]) -> None:
    """A link is removed, and not what it leads to."""
    journal, other = Journal(tmp_path / "state"), tmp_path / "other"
    other.mkdir()
    (other / "kept").touch()
    journal.targets.mkdir(parents=True)
    put(journal.directory("1-2"))
    journal.directory("1-3").symlink_to(other)
    journal.directory("1-4").touch()
    (journal.targets / "lost+found").mkdir()
    assert journal.identities() == ["1-2", "1-3", "1-4"]
    for identity in journal.identities():
        with journal.locked(identity):
            journal.forget(identity)
    assert journal.identities() == []
    assert (other / "kept").exists()


def test_a_reader_sees_the_old_journal_or_the_new_one(tmp_path: Path) -> None:
    """Whenever the writer is stopped: before each of its system calls the whole of one is there."""
    script = """
import os, sys
from pathlib import Path
from netweather.journal import replace_text
path = Path(sys.argv[1])
def heard(event, arguments):
    if event == "open" and arguments[0] == str(path) and arguments[2] & os.O_ACCMODE != os.O_RDONLY:
        print("written in place")
    if event in ("open", "os.rename", "os.truncate") and str(path) in str(arguments[0]) and not reading[0]:
        reading[0] = True
        print(path.read_text()[:1], path.stat().st_size)
        reading[0] = False
reading = [False]
path.write_text("o" * 100_000)
sys.addaudithook(heard)
replace_text(path, "n" * 50_000)
print(path.read_text()[:1], path.stat().st_size)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "journal.json")]
    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(seen) >= 3
    assert set(seen) == {"o 100000", "n 50000"}
    assert not (tmp_path / "journal.json.new").exists()


def test_readers_meet_no_half_of_a_journal(tmp_path: Path) -> None:
    path, over = tmp_path / "journal.json", threading.Event()
    texts = {"a" * 60_000, "b" * 10}
    path.write_text("b" * 10)

    def write() -> None:
        while not over.is_set():
            for text in texts:
                replace_text(path, text)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert {path.read_text() for _ in range(1000)} <= texts
    finally:
        over.set()
        thread.join()


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be made: new files are refused, and what is there can be written in place."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "planted")

    monkeypatch.setattr(module, "_write_draft", refuse)


def test_on_a_full_disk_a_shorter_journal_takes_the_place_of_the_old(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    journal = Journal(tmp_path)
    journal.write(ENTRY)
    request.getfixturevalue("full_disk")
    shorter = replace(ENTRY, conditions=[])
    journal.write(shorter)
    assert journal.read(WHOSE.identity) == shorter
    assert Journal(tmp_path).read(WHOSE.identity) == shorter
    journal.write(ENTRY)  # there is still room for the first
    with pytest.raises(NetweatherError, match="no-state"):
        journal.write(replace(ENTRY, conditions=[*ENTRY.conditions] * 2))
    journal.write(shorter)
    assert Journal(tmp_path).read(WHOSE.identity) == shorter


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EPERM])
def test_where_no_lock_can_be_made_the_directory_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    journal = Journal(tmp_path)
    journal.write(ENTRY)

    def refuse(folder: Path) -> None:
        raise OSError(number, "planted")

    monkeypatch.setattr(module, "_make_folder", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with journal.locked(WHOSE.identity):
        monkeypatch.setattr(module, "_threads", {})  # as another process sees it
        with pytest.raises(NetweatherError, match="busy"), journal.locked(WHOSE.identity, 0.0):
            pass
    with journal.locked(WHOSE.identity, 0.0):
        journal.forget(WHOSE.identity)
    with pytest.raises(NetweatherError, match="no-state"), journal.locked(WHOSE.identity, 0.0):
        pass


def test_what_could_not_be_removed_counts_for_nothing_until_it_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a read-only disk; the conditions in it have ended."""
    journal = Journal(tmp_path)
    entry = Entry(TargetRef("netns:a", "a", 4, 7, None, "/run/netns/a", "netns"))
    journal.write(entry)
    with monkeypatch.context() as read_only:
        read_only.setattr(module.shutil, "rmtree", lambda *_, **__: None)
        journal.forget(entry.target.identity)
    assert (journal.directory(entry.target.identity) / "journal.json").exists()
    assert journal.read(entry.target.identity) is None
    assert Journal(tmp_path).read(entry.target.identity) is None, "another engine of this process"
    journal.write(entry)
    assert journal.read(entry.target.identity) == entry
