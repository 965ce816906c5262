"""testing/claims.py: who may change a namespace; between processes, by a lock on the namespace itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from netweather.errors import NetweatherError
from netweather.targets import Target
from netweather.testing.claims import claimed

TRY = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), int(sys.argv[2]) | fcntl.LOCK_NB)"
SHARED, EXCLUSIVE = 1, 2


@pytest.fixture
def target() -> Iterator[Target]:
    """A namespace of this test's own: that of the machine belongs to all tests."""
    process = subprocess.Popen(["unshare", "-Urn", "sleep", "60"])
    try:
        while os.readlink(f"/proc/{process.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            assert process.poll() is None, "no user namespaces here"
        path = f"/proc/{process.pid}/ns/net"
        fd = os.open(path, os.O_RDONLY)
        found = os.fstat(fd)
        with Target("pid:1", "one", fd, found.st_dev, found.st_ino, process.pid, path, "pid") as made:
            yield made
    finally:
        process.kill()
        process.wait()


def free(target: Target, how: int) -> bool:
    """Whether another process could have it."""
    command = [sys.executable, "-c", TRY, str(target.path), str(how)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_one_at_a_time_and_again_by_itself(target: Target) -> None:
    with claimed((target,)), claimed((target,)):
        assert not free(target, EXCLUSIVE)
        assert not free(target, SHARED)
    assert free(target, EXCLUSIVE)


def test_those_that_share(target: Target) -> None:
    with claimed((target,), shared=True):
        assert free(target, SHARED)
        assert not free(target, EXCLUSIVE)


def test_patience_has_an_end_and_says_who_waits(target: Target) -> None:
    holder = "import fcntl, os, sys, time; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), 2); print(flush=True); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", holder, str(target.path)], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(NetweatherError, match="pid:1 was changed by another test"), claimed((target,), patience=0.1):
            pass
    finally:
        other.kill()
        other.communicate()
    with claimed((target,), patience=5):  # the dead let go
        pass
