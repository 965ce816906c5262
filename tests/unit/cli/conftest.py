"""The command line in this process, over fake kernels: a world of targets a, b and c."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import netweather.engine
import netweather.targets
import netweather.targets.resolving
from netweather.cli import main
from netweather.engine import Engine, Recovered
from netweather.errors import NetweatherError
from netweather.kernel import features, keeper_process
from netweather.kernel.fake import FakeKernel, FakeTarget
from netweather.kernel.seam import TargetKernel
from netweather.settings import Settings
from netweather.targets import Target, parse


@dataclass(frozen=True)
class Outcome:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("show", "--json")`: as on a terminal of 80 columns without colours."""
    for name in ("NO_COLOR", "FORCE_COLOR", "NETWEATHER_OWNER", "NETWEATHER_LEASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*words: str) -> Outcome:
        capsys.readouterr()
        code = main(words)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@dataclass
class World:
    """Targets netns:a, netns:b, netns:c and host, whose namespaces are files. strays: what `recover` finds without a journal."""

    folder: Path
    kernels: dict[str, FakeKernel] = field(default_factory=dict)
    strays: list[Recovered] = field(default_factory=list)

    def path(self, name: str) -> Path:
        return self.folder / name

    def kernel(self, name: str) -> FakeKernel:
        return self.kernels[name]

    def resolve(self, references: tuple[str, ...] | list[str]) -> list[Target]:
        return [self._target(reference) for reference in references]

    def _target(self, reference: str) -> Target:
        name = reference if parse(reference).scheme == "host" else parse(reference).rest
        if not self.path(name).exists():
            raise NetweatherError("unknown-target", f"there is no namespace named {name!r}", "", "")
        fd = os.open(self.path(name), os.O_RDONLY)
        status = os.fstat(fd)
        return Target(reference, name, fd, status.st_dev, status.st_ino, None, str(self.path(name)), parse(reference).scheme)

    def open_kernel(self, fd: int, directory: Path, hook: str | None) -> TargetKernel:
        inode = os.fstat(fd).st_ino
        name = next(name for name in self.kernels if self.path(name).exists() and self.path(name).stat().st_ino == inode)
        return FakeTarget(self.kernels[name])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path / "ns")
    made.folder.mkdir()
    for name in ("a", "b", "c", "host"):
        made.path(name).touch()
        made.kernels[name] = FakeKernel()
    monkeypatch.setenv("NETWEATHER_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(keeper_process, "ensure", lambda *_: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    netem = next(feature for feature in features.FEATURES if feature.name == "netem")
    monkeypatch.setattr(features, "_known", {"netem": features.Finding(netem, "no", "it was left out")})
    monkeypatch.setattr(netweather.targets, "resolve_all", made.resolve)
    monkeypatch.setattr(netweather.targets, "resolve", lambda reference: made.resolve([reference]))
    # Nothing outside of this world is looked at: recover would take away what other tests have in force.
    monkeypatch.setattr(Engine, "_strays", lambda *_: made.strays)
    monkeypatch.setattr(netweather.engine, "Engine", lambda settings=None: Engine(settings or Settings.load(), made.open_kernel))
    return made
