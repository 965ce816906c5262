"""modprobe, made up: what becomes of its answers. It is never run for real here: modules are the host's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netweather.kernel import host_info


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('[ "$*" = "-- sch_netem" ]', None),
        ("echo modprobe: FATAL: no such module >&2; exit 1", "modprobe sch_netem failed: modprobe: FATAL: no such module"),
        ("exit 3", "modprobe sch_netem failed: exit 3"),
    ],
)
def test_what_modprobe_says(script: str, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "modprobe"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert host_info.load("sch_netem") == expected


def test_without_modprobe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert host_info.load("sch_netem") == "modprobe is not installed"
