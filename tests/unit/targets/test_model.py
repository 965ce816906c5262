from __future__ import annotations

import os
from dataclasses import FrozenInstanceError, replace

import pytest

from netweather.kernel.namespace_search import Located
from netweather.targets.model import Target


def target(fd: int) -> Target:
    return Target("netns:db", "db", fd, 4, 4026532185, None, "/run/netns/db", "netns")


def test_identity_is_device_and_inode_in_decimal() -> None:
    assert target(0).identity == "4-4026532185"


def test_the_block_closes_the_descriptor() -> None:
    fd = os.open("/dev/null", os.O_RDONLY)
    with target(fd) as held:
        assert held.netns_fd == fd
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_closing_twice_does_not_close_somebody_elses_descriptor() -> None:
    held = target(os.open("/dev/null", os.O_RDONLY))
    held.close()
    other = os.open("/dev/null", os.O_RDONLY)
    try:
        assert other == held.netns_fd
        held.close()
        os.fstat(other)
    finally:
        os.close(other)


def test_a_target_is_frozen_compares_by_its_fields_and_is_located() -> None:
    one = target(0)
    assert one == target(0)
    assert one != replace(one, name="other")
    assert "_closed" not in repr(one)
    located: Located = one
    assert located.path == "/run/netns/db"
    with pytest.raises(FrozenInstanceError):
        one.name = "other"  # type: ignore[misc]  # that is what is tested
