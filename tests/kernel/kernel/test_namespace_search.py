from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from netweather.kernel import namespace_search


def test_a_namespace_is_found_again_by_its_identity(make_lab: Any) -> None:
    with make_lab() as net:
        status = net.client.path.stat()
        with namespace_search.open_namespace(status.st_dev, status.st_ino) as fd:
            assert fd is not None
            assert os.fstat(fd).st_ino == status.st_ino


def test_hints_come_first_but_prove_nothing(make_lab: Any) -> None:
    with make_lab() as net:
        status = net.client.path.stat()
        hints = ("/nonexistent", str(net.server.path), str(net.client.path))
        with namespace_search.open_namespace(status.st_dev, status.st_ino, hints) as fd:
            assert fd is not None
            assert os.fstat(fd).st_ino == status.st_ino


def test_one_that_is_gone_is_not_found() -> None:
    with namespace_search.open_namespace(1, 1) as fd:
        assert fd is None


def test_every_namespace_comes_once(make_lab: Any) -> None:
    with make_lab() as net:
        found = [(dev, ino) for _, dev, ino, _ in namespace_search.every_namespace()]
        assert len(found) == len(set(found))
        assert (net.client.path.stat().st_dev, net.client.path.stat().st_ino) in found


def test_what_is_no_namespace_is_skipped_and_told(make_lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a FIFO that nobody writes, a folder, a link to nowhere, a namespace of another kind: the rest comes all the same."""
    (tmp_path / "a-file").touch()
    os.mkfifo(tmp_path / "b-fifo")
    (tmp_path / "c-folder").mkdir()
    (tmp_path / "d-link").symlink_to("nowhere")
    (tmp_path / "e-mounts").symlink_to("/proc/self/ns/mnt")
    monkeypatch.setattr(namespace_search, "NAMED", (f"{tmp_path}/*", "/run/netns/*"))
    with make_lab() as net:
        skipped: dict[str, str] = {}
        found = {(dev, ino) for _, dev, ino, _ in namespace_search.every_namespace(skipped)}
        assert (net.client.path.stat().st_dev, net.client.path.stat().st_ino) in found
    ours = {path.rpartition("/")[2]: why for path, why in skipped.items() if path.startswith(str(tmp_path))}
    assert ours == dict.fromkeys(("a-file", "b-fifo", "c-folder", "e-mounts"), "it is not a network namespace")


def test_one_that_disappears_meanwhile_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").symlink_to("/proc/self/ns/net")
    monkeypatch.setattr(namespace_search, "_paths", lambda: iter((str(tmp_path / "gone"), "/proc/0/ns/net", str(tmp_path / "x"))))
    skipped: dict[str, str] = {}
    assert [path for path, *_ in namespace_search.every_namespace(skipped)] == [str(tmp_path / "x")]
    assert skipped == {}
