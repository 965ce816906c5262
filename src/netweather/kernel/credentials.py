"""Who is at the other end of a Unix socket, as the kernel knows it; and users and groups by name. Not here: what they may do."""

from __future__ import annotations

import array
import grp
import os
import pwd
import socket
from dataclasses import dataclass
from typing import Any

SO_PEERGROUPS = 59
MOST_GROUPS = 65536


@dataclass(frozen=True)
class Credentials:
    """A process as it was when it connected. groups: all of its groups."""

    pid: int
    uid: int
    groups: frozenset[int]


def of_peer(connection: Any) -> Credentials | None:
    """The credentials of a connected socket's peer; None of a socket that isn't a Unix one."""
    if connection is None or connection.family != socket.AF_UNIX:
        return None
    pid, uid, gid = array.array("i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        groups = array.array("I", connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 4 * MOST_GROUPS))
    except OSError:  # before Linux 4.13
        groups = array.array("I")
    return Credentials(pid, uid, frozenset([gid, *groups]))


def of_user(uid: int) -> Credentials | None:
    """A user's credentials as they would be now, of no process; None when there is no such user any more."""
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return None
    return Credentials(0, uid, frozenset(os.getgrouplist(user.pw_name, user.pw_gid)))


def user_name(uid: int) -> str:
    """The user's name; its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def user_number(name: str) -> int | None:
    """The number of a user; None when there is none of that name."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def group_number(name: str) -> int | None:
    """The number of a group; None when there is none of that name."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None
