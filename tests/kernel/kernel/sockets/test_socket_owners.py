"""kernel/sockets/socket_owners.py: whose socket it is, in the target's namespace or beside it."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from netweather.kernel.sockets.socket_owners import holders
from tests.support.netns import Lab

COMM = Path("/proc/self/comm")
LISTEN = "import socket, sys; s = socket.create_server(('192.0.2.1', 80)); print(s.fileno(), flush=True); sys.stdin.read()"


def inode(made: socket.socket) -> int:
    return os.fstat(made.fileno()).st_ino


def test_a_process_inside_and_one_that_only_holds_the_socket(lab: Lab) -> None:
    inside = lab.client.start(sys.executable, "-c", f"{LISTEN}; import time; time.sleep(60)")
    assert inside.stdout
    fd = int(inside.stdout.readline())
    theirs = os.stat(f"/proc/{inside.pid}/fd/{fd}").st_ino
    with lab.client.call(socket.create_server, ("192.0.2.1", 81)) as ours:
        found = holders({theirs, inode(ours), 0, 1}, lab.client.path.stat().st_ino)
        assert found[inode(ours)].pid == os.getpid()
    assert found[theirs].pid == inside.pid
    assert "python" in found[theirs].name
    assert len(found) == 2


def test_names_are_fit_for_a_terminal() -> None:
    here, there = socket.socketpair()
    with here, there:
        before = COMM.read_text()
        try:
            COMM.write_text("a\x1bb")
            (holder,) = holders({inode(here)}, 0).values()
            assert (holder.pid, holder.name) == (os.getpid(), "a?b")
        finally:
            COMM.write_text(before)
