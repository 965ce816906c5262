"""Several targets without root: their namespaces are files, their kernels fakes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from netweather.errors import NetweatherError
from netweather.kernel.datapath.fake import FakeKernel, FakeTarget
from netweather.kernel.datapath.seam import TargetKernel
from netweather.results import Recovered
from netweather.targets import Target, parse


@dataclass
class World:
    """Targets netns:a, netns:b, netns:c and host, whose namespaces are files. strays: what `recover` finds without a journal."""

    folder: Path
    kernels: dict[str, FakeKernel] = field(default_factory=dict)
    strays: list[Recovered] = field(default_factory=list)

    @classmethod
    def make(cls, folder: Path) -> World:
        made = cls(folder)
        folder.mkdir()
        files = [folder / f"new-{number}" for number in range(4)]
        for file in files:
            file.touch()
        # Targets are listed by identity, and a file's inode need not be above that of the one before.
        for file, name in zip(sorted(files, key=lambda file: str(file.stat().st_ino)), ("a", "b", "c", "host"), strict=True):
            file.rename(made.path(name))
            made.kernels[name] = FakeKernel()
        return made

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
