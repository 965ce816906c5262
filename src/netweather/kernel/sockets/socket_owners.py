"""Which process holds a socket, by the inode that the kernel tells of each. Reads /proc only."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import NamedTuple

_SOCKET = "socket:["


class Holder(NamedTuple):
    """A process. name: its short name, of 15 characters at most."""

    pid: int
    name: str


def holders(inodes: Collection[int], first: int) -> dict[int, Holder]:
    """Who holds each of these sockets; of several the one with the lowest number. Those nobody holds are left out.

    first: the inode of the namespace whose processes are looked at first: the others only for what these don't explain.
    """
    wanted = {inode for inode in inodes if inode}
    found: dict[int, Holder] = {}
    elsewhere = []
    for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        if _namespace(pid) == first:
            _look(pid, wanted, found)
        else:
            elsewhere.append(pid)
    for pid in elsewhere:
        if len(found) == len(wanted):
            break
        _look(pid, wanted, found)
    return found


def _look(pid: int, wanted: set[int], found: dict[int, Holder]) -> None:
    mine = [inode for inode in _sockets(pid) if inode in wanted and inode not in found]
    if mine:
        holder = Holder(pid, _name(pid))
        found.update(dict.fromkeys(mine, holder))


def _namespace(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return None


def _sockets(pid: int) -> Iterator[int]:
    try:
        folder = os.open(f"/proc/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        for name in os.listdir(folder):
            try:
                link = os.readlink(name, dir_fd=folder)
            except OSError:
                continue
            if link.startswith(_SOCKET):
                yield int(link[len(_SOCKET) : -1])
    except OSError:  # it has exited meanwhile
        return
    finally:
        os.close(folder)


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            text = file.read().rstrip("\n")
    except OSError:
        return "?"
    return "".join(letter if letter.isprintable() else "?" for letter in text)
