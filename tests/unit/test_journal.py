from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pytest

from netweather import journal as module
from netweather.conditions import Condition, Delay, Match, NetworkCondition, Rule
from netweather.errors import NetweatherError
from netweather.journal import Entry, Journal, Whose, replace_text
from netweather.kernel.spec import NEVER, Interface
from netweather.planning.rules import InForce, Slots
from netweather.units import Duration

WHOSE = Whose("docker:shop", "shop", 4, 4026532000, 17, None, "docker")
CONDITION = NetworkCondition(name="slow", rules=(Rule(Match(to=("docker:db",)), Condition(delay=Delay(Duration(5)))),))
ENTRY = Entry(
    WHOSE,
    [InForce(CONDITION, {"docker:db": (ip_network("192.0.2.7/32"), ip_network("2001:db8::7/128"))}, NEVER, 12)],
    Slots({"slow/0/egress/eth0": 3}, {"slow/0": 1}, {"slow": 0}, {"eth0": 0}),
    (Interface("eth0", 7, 0),),
    state="made",
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(ENTRY)
    assert journal.read(WHOSE.identity) == ENTRY
    assert journal.identities() == ["4-4026532000"]


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
    path.write_text(path.read_text().replace('"version": 1', '"version": 99'))
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
from netweather.journal import Entry, Journal, Whose
journal = Journal(Path(sys.argv[1]))
whose = Whose("netns:a", "a", 4, int(sys.argv[2]), None, None, "netns")
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
