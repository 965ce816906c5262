"""The journal: what we made or were about to make, one directory per target, written before anything is done.

A target's lock serialises everybody who changes it. The kernel enforces leases; the journal only remembers what for.
Layout of the state directory: targets/DEV-INO/{journal.json,params,pump.sock,pump.pid,keeper.pid,netns}, locks/DEV-INO.
"""

# long: files, locks and the document of one journal; the document has to leave

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import threading
import weakref
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netweather import journal_v1
from netweather.conditions import NetworkCondition, Rule, dump, dump_rule, load, load_rule
from netweather.errors import NetweatherError
from netweather.kernel.datapath.spec import NEVER, Interface, LineId, RuleId, RulePrefix
from netweather.kernel.waiting import until
from netweather.planning.rules import Allocation, InForce, PlainRule
from netweather.planning.vectors import normal_prefix
from netweather.results import TargetRef

VERSION = 2
FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS))
"""What the kernel says when nothing more can be written: no space, no quota, a read-only file system."""
_IDENTITY = re.compile(r"[0-9]+-[0-9]+")
LOCK_PATIENCE_S = 30.0


@dataclass
class Entry:
    """One target's journal. state: "making" while operations run, "made" when all is as written, "unmaking" at the end.

    hook: where its programs are attached, "tcx" or "clsact"; "" when that is not known.
    """

    target: TargetRef
    conditions: list[InForce] = field(default_factory=list)
    slots: Allocation = field(default_factory=Allocation)
    interfaces: tuple[Interface, ...] = ()
    hook: str = ""
    state: str = "making"
    departed: tuple[str, ...] = ()
    """Interfaces that were covered and have left the namespace, or were deleted."""
    draining: dict[int, int] = field(default_factory=dict)
    """Closed lines that still hold packets, by number: until when these may come out (CLOCK_BOOTTIME ns)."""
    ended: int = 0
    """When the last condition ended (CLOCK_BOOTTIME ns); 0 while there is one."""
    carried: dict[RuleId, dict[str, int | None]] = field(default_factory=dict)
    """What lines that are gone had counted, by rule (engine.views.counters)."""

    @property
    def begun(self) -> bool:
        """Whether a command has begun to put conditions in force, and has not finished. While the lock is free, it was killed."""
        return self.state == "making" and bool(self.conditions)


@dataclass(frozen=True)
class _Known:
    """A journal as it was read or written last: its bytes, what they mean, and the text of its conditions if it was written."""

    data: bytes
    entry: Entry
    conditions: str = ""


class Journal:
    """All journals below one state directory."""

    def __init__(self, state: Path) -> None:
        self.targets = state / "targets"
        self.locks = state / "locks"
        self._known: dict[str, _Known] = {}
        """By target: most reads find the same again, and most writes have the same conditions."""

    def directory(self, identity: str) -> Path:
        return self.targets / identity

    def identities(self) -> list[str]:
        """The targets that have a journal, or the remains of one: whatever stands in the place of their directory."""
        try:
            return sorted(p.name for p in self.targets.iterdir() if _IDENTITY.fullmatch(p.name))
        except (FileNotFoundError, NotADirectoryError):
            return []

    @contextlib.contextmanager
    def locked(self, identity: str, patience_s: float | None = None) -> Iterator[None]:
        """Holds a target's lock. Raises NetweatherError: "needs-root" without the right to write here, "busy" after 30 s.

        Where nothing can be written, the lock is on what is there already: giving back must work on a full or read-only disk.
        """
        patience_s = LOCK_PATIENCE_S if patience_s is None else patience_s
        with _here(str(self.locks / identity), patience_s):
            yield from self._locked_by_others(identity, patience_s)

    def _locked_by_others(self, identity: str, patience_s: float) -> Iterator[None]:
        fd = self._acquire(identity, patience_s)
        try:
            yield
        finally:
            if not self.directory(identity).exists():
                with contextlib.suppress(OSError):
                    (self.locks / identity).unlink()
                    self.locks.rmdir()
            os.close(fd)

    def _acquire(self, identity: str, patience_s: float) -> int:
        path = self.locks / identity
        try:
            taken: list[int] = []
            if until(lambda: _take(path, self.directory(identity), taken), patience_s):
                return taken[0]
            raise NetweatherError("busy", "another command is changing this target", f"its lock is {path}", "try again")
        except OSError as error:
            if isinstance(error, PermissionError) and os.geteuid():
                remedy = "run it with sudo, or through an agent"
                raise NetweatherError("needs-root", "changing a network needs root", str(error), remedy) from error
            raise _no_state(path.parent, error) from error

    def read(self, identity: str) -> Entry | None:
        """The journal, or None when there is none. Raises NetweatherError(code="broken-journal")."""
        path = self.directory(identity) / "journal.json"
        try:
            data = path.read_bytes()
            if _left.get(path) == data:
                return None
            known = self._known.get(identity)
            if known is None or known.data != data:
                known = self._known[identity] = _Known(data, _entry(json.loads(data), identity))
            return _copy(known.entry)
        except FileNotFoundError:
            self._known.pop(identity, None)
            return None
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, NetweatherError) as error:
            remedy = "`netweather clear TARGET` or `netweather recover` works without the journal"
            raise NetweatherError("broken-journal", f"{path} cannot be read", repr(error)[:200], remedy) from error

    def write(self, entry: Entry) -> None:
        """Replaces the journal, so that a reader sees the old one or the new one. Raises NetweatherError(code="no-state").

        On a full disk a text that is no longer than the old one takes its place by a single write.
        """
        known = self._known.get(entry.target.identity)
        same = known is not None and known.conditions and [*map(id, known.entry.conditions)] == [*map(id, entry.conditions)]
        conditions = known.conditions if known is not None and same else json.dumps(list(map(_condition, entry.conditions)))
        text = f'{json.dumps(_head(entry))[:-1]}, "conditions": {conditions}}}'
        path = self.directory(entry.target.identity) / "journal.json"
        try:
            try:
                replace_text(path, text)
                data = text.encode()
            except OSError as error:
                if error.errno not in FULL or not _overwrite(path, text):
                    raise
                data = path.read_bytes()
        except OSError as error:
            raise _no_state(path.parent, error) from error
        _left.pop(path, None)
        self._known[entry.target.identity] = _Known(data, _copy(entry), conditions)

    def forget(self, identity: str) -> None:
        """Removes a target's directory, or what stands in its place; the namespace mounted in it must be gone.

        A journal that can't be removed, on a read-only disk, counts for nothing in this process from now on.
        """
        self._known.pop(identity, None)
        directory = self.directory(identity)
        with contextlib.suppress(OSError):
            directory.unlink()  # a file, or a link, which is not to be followed
        shutil.rmtree(directory, ignore_errors=True)
        with contextlib.suppress(OSError):
            path = directory / "journal.json"
            _left[path] = path.read_bytes()
        with contextlib.suppress(OSError):
            self.targets.rmdir()


def replace_text(path: Path, text: str) -> None:
    """Writes a file, and its folder when there is none, so that a reader sees the old text or the new one. Raises OSError."""
    draft = path.with_name(f"{path.name}.new")
    for tries_left in reversed(range(_TRIES)):
        try:
            _write_draft(draft, text)
            break
        except FileNotFoundError:  # there is no folder, or it was empty, and somebody has just removed it
            if not tries_left:
                raise
            _make_folder(path.parent)
    draft.replace(path)


def _write_draft(draft: Path, text: str) -> None:
    try:
        draft.write_bytes(text.encode())
    except OSError:  # a full disk took only a part of it
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _overwrite(path: Path, text: str) -> bool:
    """Puts a text in place of one at least as long, padded: by one write, which no kill cuts in two. Returns whether it fitted."""
    with contextlib.suppress(OSError), path.open("r+b") as file:
        room = os.fstat(file.fileno()).st_size
        data = text.encode().ljust(room)
        return len(data) == room and os.pwrite(file.fileno(), data, 0) == room
    return False


def _no_state(folder: Path, error: OSError) -> NetweatherError:
    return NetweatherError("no-state", f"{folder} cannot be written", str(error), "name another directory in NETWEATHER_STATE")


@contextlib.contextmanager
def _here(path: str, patience_s: float) -> Iterator[None]:
    """The same lock among the threads of this process: they wait for each other without looking again and again."""
    with _registry:
        lock = _threads.setdefault(path, threading.Lock())
    if not lock.acquire(timeout=patience_s):
        raise NetweatherError("busy", "another request is changing this target", f"its lock is {path}", "try again")
    try:
        yield
    finally:
        lock.release()


_left: dict[Path, bytes] = {}
"""What stands in journals that this process has ended and could not remove."""
_TRIES = 100
_registry = threading.Lock()
_threads: weakref.WeakValueDictionary[str, threading.Lock] = weakref.WeakValueDictionary()


def _take(path: Path, instead: Path, taken: list[int]) -> bool:
    """Tries once to lock a file, made when it isn't there; where nothing can be made, the directory `instead`."""
    try:
        fd = _open_lock(path)
    except FileNotFoundError:  # the last holder of any lock has just removed the folder
        return False
    except OSError as error:
        refused_to_root = isinstance(error, PermissionError) and not os.geteuid()  # an immutable folder, or a security module
        if error.errno not in FULL and not refused_to_root:
            raise
        path = path if path.exists() else instead
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            raise error from None
    if _try_lock(fd) and _same(fd, path):
        taken.append(fd)
        return True
    os.close(fd)
    return False


def _open_lock(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        _make_folder(path.parent)
        return os.open(path, flags, 0o600)


def _make_folder(folder: Path) -> None:
    """Makes it, or finds it. Whoever holds the last of what is in it, or in the one above, may just be removing it. Raises OSError."""
    for _ in range(_TRIES):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except FileNotFoundError:
            continue
        except FileExistsError:
            if folder.exists() and not folder.is_dir():
                raise
            continue
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same(fd: int, path: Path) -> bool:
    """Whether the file is still the one at its path: its last holder may have removed it."""
    try:
        found, there = os.fstat(fd), path.stat()
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) == (there.st_dev, there.st_ino)


def _copy(entry: Entry) -> Entry:
    """The same, to be changed by whoever has it; what is in it never changes."""
    found, slots = copy(entry), entry.slots
    found.slots = Allocation(dict(slots.lines), dict(slots.counters), dict(slots.leases), dict(slots.interfaces))
    found.conditions, found.draining = list(entry.conditions), dict(entry.draining)
    return found


def _head(entry: Entry) -> dict[str, Any]:
    """The document without its conditions."""
    return {
        "version": VERSION,
        "target": vars(entry.target),
        "state": entry.state,
        "hook": entry.hook,
        "slots": {
            "lines": [[*line.rule[:2], *line[1:], number] for line, number in entry.slots.lines.items()],
            "counters": [[*rule, number] for rule, number in entry.slots.counters.items()],
            "leases": entry.slots.leases,
            "interfaces": entry.slots.interfaces,
        },
        "departed": list(entry.departed),
        "draining": {str(line): until for line, until in entry.draining.items()},
        "ended": entry.ended,
        "interfaces": [vars(i) for i in entry.interfaces],
        "carried": [[*rule[:2], counted] for rule, counted in entry.carried.items()],
    }


def _condition(active: InForce) -> dict[str, Any]:
    return {
        "document": dump(active.condition),
        "rules": [_plain_document(plain, active.condition.rules) for plain in active.rules],
        "deadline": None if active.deadline == NEVER else active.deadline,
        "created": active.created,
        "reference": active.reference,
        "peers": {word: [str(p) for p in prefixes] for word, prefixes in active.peers.items()},
    }


def _plain_document(plain: PlainRule, rules: tuple[Rule, ...]) -> dict[str, Any]:
    """The rule itself stands there only when it is not the user's."""
    found: dict[str, Any] = {"origin": plain.origin, "engine": plain.engine, "why": list(plain.why)}
    return found if plain.rule is rules[plain.origin] else {**found, "rule": dump_rule(plain.rule)}


def _entry(document: dict[str, Any], identity: str) -> Entry:
    if document["version"] not in (1, VERSION):
        raise ValueError(f"version {document['version']}")
    document = journal_v1.upgraded(document) if document["version"] == 1 else document
    whose = TargetRef(**document["target"])
    if whose.identity != identity:
        raise ValueError(f"it is the journal of {whose.identity}")
    slots = document["slots"]
    return Entry(
        target=whose,
        conditions=[_in_force(item, whose.reference) for item in document["conditions"]],
        slots=Allocation(
            {LineId(RuleId(name, rule), *place): number for name, rule, *place, number in slots["lines"]},
            {RuleId(*rule): number for *rule, number in slots["counters"]},
            slots["leases"],
            slots["interfaces"],
        ),
        interfaces=tuple(Interface(**i) for i in document["interfaces"]),
        hook=document["hook"],
        state=document["state"],
        departed=tuple(document.get("departed", ())),
        draining={int(line): until for line, until in document.get("draining", {}).items()},
        ended=document.get("ended", 0),
        carried={RuleId(*rule): counted for *rule, counted in document.get("carried", ())},
    )


def _in_force(item: dict[str, Any], reference: str) -> InForce:
    """reference: the target's, of journals from before each condition had its own."""
    condition: NetworkCondition = load(item["document"])
    peers: dict[str, tuple[RulePrefix, ...]] = {
        word: tuple(normal_prefix(p) for p in prefixes) for word, prefixes in item["peers"].items()
    }
    deadline = NEVER if item["deadline"] is None else item["deadline"]
    rules = tuple(_plain(each, condition.rules) for each in item["rules"])
    return InForce(condition, peers, deadline, item["created"], rules, item.get("reference", reference))


def _plain(item: dict[str, Any], rules: tuple[Rule, ...]) -> PlainRule:
    origin, rule = item["origin"], item.get("rule")
    return PlainRule(rules[origin] if rule is None else load_rule(rule), origin, item["engine"], tuple(item["why"]))
