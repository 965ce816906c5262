from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from netweather.targets._rootfs import read_inside


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    """A root with etc/hosts, beside a file outside of it that nobody may be led to."""
    (tmp_path / "hosts").write_text("outside")
    (tmp_path / "root" / "etc").mkdir(parents=True)
    (tmp_path / "root" / "run" / "x").mkdir(parents=True)
    (tmp_path / "root" / "etc" / "real").write_text("inside")
    fd = os.open(tmp_path / "root", os.O_RDONLY)
    before = len(os.listdir("/proc/self/fd"))
    yield fd
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(fd)


@pytest.mark.parametrize("path", ["/etc/real", "etc//./real", "/run/../etc/real", "/../../etc/real", "run/x/../../etc/real"])
def test_a_file_is_read(path: str, root: int) -> None:
    assert read_inside(root, path) == "inside"


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ("real", "inside"),
        ("/etc/real", "inside"),
        ("../etc/real", "inside"),
        ("../../../../etc/real", "inside"),  # above the top is the top, as in the container
        ("../../hosts", None),
        ("/hosts", None),
        ("hosts", None),  # round and round
        ("gone", None),
        ("/run", None),
    ],
)
def test_a_link_leads_nowhere_but_inside(link: str, found: str | None, root: int, tmp_path: Path) -> None:
    (tmp_path / "root" / "etc" / "hosts").symlink_to(link)
    assert read_inside(root, "/etc/hosts") == found


def test_folders_that_are_links_are_followed_inside_too(root: int, tmp_path: Path) -> None:
    (tmp_path / "root" / "run" / "etc").symlink_to("/etc")
    (tmp_path / "root" / "etc" / "hosts").symlink_to("/run/etc/../etc/real")
    assert read_inside(root, "/etc/hosts") == "inside"


def test_what_is_no_file_is_not_waited_for(root: int, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "root" / "etc" / "hosts")
    assert read_inside(root, "/etc/hosts") is None


def test_a_file_without_end_is_cut(root: int, tmp_path: Path) -> None:
    (tmp_path / "root" / "etc" / "hosts").write_text("x" * (1 << 19))
    text = read_inside(root, "/etc/hosts")
    assert text is not None
    assert len(text) == 1 << 18
