"""testing/claims.py: who may change a namespace; between processes, by a lock on the namespace itself."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.results import TargetRef
from netweather.testing.claims import claimed

TRY = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), int(sys.argv[2]) | fcntl.LOCK_NB)"
SHARED, EXCLUSIVE = 1, 2


@pytest.fixture
def target() -> Iterator[TargetRef]:
    """A namespace of this test's own: that of the machine belongs to all tests."""
    process = subprocess.Popen(["unshare", "-Urn", "sleep", "60"])
    try:
        while os.readlink(f"/proc/{process.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            assert process.poll() is None, "no user namespaces here"
        path = f"/proc/{process.pid}/ns/net"
        found = os.stat(path)
        yield TargetRef("pid:1", "one", found.st_dev, found.st_ino, process.pid, path, "pid")
    finally:
        process.kill()
        process.wait()


def free(target: TargetRef, how: int) -> bool:
    """Whether another process could have it."""
    command = [sys.executable, "-c", TRY, str(target.path), str(how)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_one_at_a_time_and_again_by_itself(target: TargetRef) -> None:
    with claimed((target,)), claimed((target,)):
        assert not free(target, EXCLUSIVE)
        assert not free(target, SHARED)
    assert free(target, EXCLUSIVE)


def test_those_that_share(target: TargetRef) -> None:
    with claimed((target,), shared=True):
        assert free(target, SHARED)
        assert not free(target, EXCLUSIVE)


def test_patience_has_an_end_and_says_who_waits(target: TargetRef) -> None:
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


def test_a_namespace_that_is_not_ours_to_open(target: TargetRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent's: then a file stands for it, in a folder of this user's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    far = replace(target, pid=None, path=None)
    with claimed((far,)):
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        (file,) = folder.iterdir()
        assert not free(replace(target, path=str(file)), EXCLUSIVE)
        assert free(target, EXCLUSIVE)
    assert free(replace(target, path=str(file)), EXCLUSIVE)


def test_a_folder_of_somebody_elses_is_not_trusted(target: TargetRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "theirs").mkdir()
    (tmp_path / f"netweather-claims-{os.getuid()}").symlink_to(tmp_path / "theirs")
    with pytest.raises(NetweatherError, match="another user"), claimed((replace(target, pid=None, path=None),)):
        pass


def test_a_path_that_became_another_namespace_is_not_locked(
    target: TargetRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with claimed((replace(target, ino=target.ino + 1),)):
        assert free(target, EXCLUSIVE)
