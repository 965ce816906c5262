"""Compiles the native parts (BPF objects, the static pump) into src/netweather/_built.

Run it, or let the build hook or a test call `build`. Objects are kept by content hash in the user's cache,
so that only what changed is compiled. The compiler is the Python package ziglang; nothing of the system's is used.

    _built/bpf/NAME.bpf.o            the same for every architecture
    _built/ARCH/netweather-pump      static, one per architecture
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WARNINGS = ("-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror")
BPF_FLAGS = ("-target", "bpfel-freestanding", "-mcpu=v3", "-O2", "-g", "-fdebug-compilation-dir=.", *WARNINGS, "-c")
PUMP_FLAGS = ("-std=gnu17", "-O2", "-static", "-s", *WARNINGS)
PUMP = "netweather-pump"
ARCHES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


class BuildError(Exception):
    """A source does not compile; the text is the compiler's."""


@dataclass(frozen=True)
class Object:
    """One file to make: its place below _built, and everything that decides its content."""

    output: Path
    sources: tuple[Path, ...]
    headers: tuple[Path, ...]
    flags: tuple[str, ...]

    def key(self, root: Path) -> str:
        digest = hashlib.sha256(repr((version("ziglang"), self.flags)).encode())
        for file in (*self.sources, *self.headers):
            digest.update(f"\0{file.relative_to(root)}\0".encode())
            digest.update(file.read_bytes())
        return digest.hexdigest()


def machine(name: str | None = None) -> str:
    """The architecture to build for: the argument, $NETWEATHER_ARCH, or this machine's."""
    name = name or os.environ.get("NETWEATHER_ARCH") or platform.machine()
    try:
        return ARCHES[name.lower()]
    except KeyError:
        raise BuildError(f"unknown architecture {name!r}: x86_64 or aarch64") from None


def objects(root: Path, arch: str) -> list[Object]:
    """What the sources below root make: nothing when there are none."""
    headers = tuple(sorted((root / "bpf").rglob("*.h")))
    made = [
        Object(Path("bpf", source.name.removesuffix(".c") + ".o"), (source,), headers, (*BPF_FLAGS, "-Ibpf"))
        for source in sorted((root / "bpf").glob("*/*.bpf.c"))
    ]
    if pump := tuple(sorted((root / "pump").glob("*.c"))):
        flags = ("-target", f"{arch}-linux-musl", *PUMP_FLAGS, "-Ipump")
        made.append(Object(Path(arch, PUMP), pump, tuple(sorted((root / "pump").glob("*.h"))), flags))
    return made


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "netweather", "build")


def compile_object(wanted: Object, root: Path, to: Path) -> None:
    """Compiles from root with relative names, so that no path of this machine gets into the object."""
    to.parent.mkdir(parents=True, exist_ok=True)
    partial = to.with_name(f"{to.name}.{os.getpid()}")
    names = [str(source.relative_to(root)) for source in wanted.sources]
    command = [sys.executable, "-m", "ziglang", "cc", *wanted.flags, *names, "-o", str(partial)]
    result = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode:
        partial.unlink(missing_ok=True)
        raise BuildError(f"{', '.join(names)}:\n{result.stderr.strip()}")
    partial.replace(to)


def install(cached: Path, output: Path) -> bool:
    """Puts the cached object in place; a running pump keeps its old file. Returns whether anything changed."""
    if output.exists() and output.read_bytes() == cached.read_bytes():
        return False
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    shutil.copy(cached, partial)
    partial.replace(output)
    return True


def build(root: Path = ROOT, built: Path | None = None, arch: str | None = None) -> dict[Path, bool]:
    """Makes everything for one architecture, removes what has no source any more: file → whether it changed."""
    arch = machine(arch)
    built = built or root / "src" / "netweather" / "_built"
    made: dict[Path, bool] = {}
    for wanted in objects(root, arch):
        cached = cache_folder() / wanted.key(root) / wanted.output.name
        if not cached.exists():
            compile_object(wanted, root, cached)
        made[built / wanted.output] = install(cached, built / wanted.output)
    for stale in {*built.glob("bpf/*.bpf.o"), *built.glob(f"{arch}/[!.]*")} - made.keys():
        stale.unlink(missing_ok=True)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Compile the BPF objects and the pump into the source tree.")
    parser.add_argument("--arch", help="x86_64 or aarch64 (default: $NETWEATHER_ARCH, or this machine's)")
    parser.add_argument("--quiet", action="store_true", help="print only what changed")
    options = parser.parse_args(arguments)
    try:
        made = build(arch=options.arch)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    for path, changed in made.items():
        if changed or not options.quiet:
            print(f"{'built' if changed else 'fresh'}  {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
