"""Reading a small file of a container as the container sees it, without entering it and without being led out of it.

A container's root is reached through its process (/proc/PID/root). There an absolute symlink would lead into *our* file system, and ".."
above its top as well: so every step is taken by hand, from descriptor to descriptor.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from typing import Final

_MOST_LINKS: Final = 40
_MOST_BYTES: Final = 1 << 18
_STEP: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def read_inside(root: int, path: str) -> str | None:
    """The text of a regular file below the directory `root` (a descriptor), 256 KiB at most; None when there is none.

    path: as the container would write it; symlinks are followed inside of the root only.
    """
    try:
        with ExitStack() as stack:
            fd = _walk(root, path, stack)
            # Not the name again: what was looked at is what is read, and a pipe or a device would not be waited for.
            if fd is None or not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
            with open(os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
                return file.read(_MOST_BYTES).decode(errors="replace")
    except OSError:
        return None


def _walk(root: int, path: str, stack: ExitStack) -> int | None:
    """An O_PATH descriptor of what the path names, closed with the stack; None when links go round. Raises OSError."""
    parents: list[int] = []  # of the directories below the root that lead to where we are
    here, links = root, 0
    steps = path.split("/")[::-1]
    while steps:
        step = steps.pop()
        if step in ("", "."):
            continue
        if step == "..":
            here = parents.pop() if parents else root
            continue
        fd = os.open(step, _STEP, dir_fd=here)
        stack.callback(os.close, fd)
        if not stat.S_ISLNK(os.fstat(fd).st_mode):
            parents.append(here)
            here = fd
            continue
        links += 1
        if links > _MOST_LINKS:
            return None
        target = os.readlink("", dir_fd=fd)
        if target.startswith("/"):
            here, parents = root, []
        steps += target.split("/")[::-1]
    return here
