"""What is read of namespaces without being in one: the offset of a time namespace, and what is said of one that can't be entered."""

from __future__ import annotations

import errno
import os
import time

import pytest

from netweather.kernel import namespaces


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("monotonic           0         0\nboottime            0         0\n", 0),
        ("monotonic          -3         0\nboottime         7200 500000000\n", 7_200_500_000_000),
        ("monotonic           0         0\nboottime         -601 999999999\n", -600_000_000_001),
        ("1 0 0\n7 86400 0\n", 86_400_000_000_000),  # as Linux 5.6 writes it
        ("", 0),
    ],
)
def test_the_offset_of_a_time_namespace(text: str, offset: int) -> None:
    assert namespaces.boot_offset_in(text) == offset


def test_the_clock_is_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "boot_offset_ns", lambda: 10**12)
    monkeypatch.setattr(time, "clock_gettime_ns", lambda _: 3 * 10**12)
    assert namespaces.boot_ns() == 2 * 10**12


@pytest.mark.parametrize(
    ("number", "user", "remedy"),
    [(errno.EPERM, 1000, "run it as root"), (errno.EPERM, 0, "CAP_SYS_ADMIN"), (errno.EINVAL, 0, "name a network namespace")],
)
def test_root_is_not_asked_to_be_root(monkeypatch: pytest.MonkeyPatch, number: int, user: int, remedy: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    error = namespaces._cannot_enter(4026532000, OSError(number, "refused"))
    assert remedy in error.remedy
    assert ("run it as root" in error.remedy) == bool(user)
