"""The host as doctor needs to know it: kernel version and configuration, distribution, and what to install there. Reads only."""

from __future__ import annotations

import functools
import gzip
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_INSTALL: Final = {
    "debian": ("apt-get install", {"libbpf": "libbpf1", "modules": "--reinstall linux-image-{release}"}),
    "ubuntu": ("apt-get install", {"libbpf": "libbpf1", "modules": "linux-modules-extra-{release}"}),
    "fedora": ("dnf install", {"libbpf": "libbpf", "modules": "kernel-modules-extra-{release}"}),
    "rhel": ("dnf install", {"libbpf": "libbpf", "modules": "kernel-modules-extra-{release}"}),
    "suse": ("zypper install", {"libbpf": "libbpf1", "modules": "kernel-default"}),
    "arch": ("pacman -S", {"libbpf": "libbpf", "modules": "linux"}),
    "alpine": ("apk add", {"libbpf": "libbpf", "modules": "linux-lts"}),
}
"""By os-release's ID: how packages are installed there, what libbpf's is called, and which has the modules that a small
installation of a kernel lacks."""
NO_MODULES: Final = "this kernel's modules are not here: in a container mount /lib/modules; after an upgrade, reboot"


@dataclass(frozen=True)
class HostInfo:
    """release: of the kernel; configuration: its options without CONFIG_ ("y", "m"; absent: not set), None when not to be read;
    distribution: os-release's ID and ID_LIKE; title: its PRETTY_NAME."""

    release: str
    machine: str
    configuration: Mapping[str, str] | None = None
    distribution: tuple[str, ...] = ()
    title: str = ""
    modules: Path = field(default=Path("/lib/modules"))

    @classmethod
    def here(cls) -> HostInfo:
        """This machine."""
        system = os.uname()
        words = _os_release()
        ids = (words.get("ID", ""), *words.get("ID_LIKE", "").split())
        found = tuple(word.replace("opensuse", "suse") for word in ids if word)
        return cls(system.release, system.machine, read_configuration(system.release), found, words.get("PRETTY_NAME", ""))

    @property
    def version(self) -> tuple[int, int]:
        """(6, 18) of '6.18.44-fc'."""
        found = re.match(r"(\d+)\.(\d+)", self.release)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def why_missing(self, option: str, module: str, minimum: str) -> str:
        """Why this kernel lacks something: too old, built without it, or the module isn't there; "" when that can't be told."""
        if minimum and self.too_old(minimum):
            return f"Linux {self.release} is older than {minimum}"
        if not option or self.configuration is None:
            return ""
        value = self.configuration.get(option, "n")
        if value == "n":
            return f"this kernel was built without CONFIG_{option}"
        if value == "m" and module:
            return f"the module {module} is not {'loaded' if self.has(module) else 'installed'}"
        return f"this kernel was built with CONFIG_{option}, but refuses it"

    def remedy(self, option: str, module: str, minimum: str) -> str:
        """What gives this host what an option stands for: another kernel, a module to load, a package; "" when nothing is known to."""
        if minimum and self.too_old(minimum):
            return f"use Linux {minimum} or later"
        value = self.configuration.get(option, "n") if option and self.configuration is not None else ""
        if value == "n":
            return f"use a kernel with CONFIG_{option}"
        if not module or value == "y":
            return ""
        if self.has(module):
            return f"modprobe {module} (or: netweather doctor --modprobe)"
        return self.install("modules") if (self.modules / self.release).is_dir() else NO_MODULES

    def install(self, what: str) -> str:
        """The command that installs "libbpf" or this kernel's further "modules" here; "" when there is no such package."""
        for word in self.distribution:
            command, packages = _INSTALL.get(word, ("", {}))
            if command:
                package = packages[what].format(release=self.release)
                return f"{command} {package}" if package else ""
        return f"install {what} 1.0 or later" if what == "libbpf" else ""

    def too_old(self, minimum: str) -> bool:
        """Whether this kernel is older than '6.6'."""
        return self.version < tuple(int(part) for part in minimum.split("."))

    def has(self, module: str) -> bool:
        """Whether a module lies where this kernel looks for it."""
        folder = self.modules / self.release
        return any(True for _ in folder.rglob(f"{module}.ko*")) if folder.is_dir() else False


def read_configuration(release: str, root: Path = Path("/")) -> dict[str, str] | None:
    """The kernel's own configuration, from the kernel or from beside it; None when neither is there."""
    for name in (
        "proc/config.gz",
        f"boot/config-{release}",
        f"lib/modules/{release}/config",
        f"usr/lib/modules/{release}/config",
    ):
        try:
            data = (root / name).read_bytes()
            text = (gzip.decompress(data) if name.endswith(".gz") else data).decode(errors="replace")
        except (OSError, EOFError):
            continue
        return dict(re.findall(r"^CONFIG_(\w+)=(\S+)", text, flags=re.MULTILINE))
    return None


def _os_release(paths: tuple[str, ...] = ("/etc/os-release", "/usr/lib/os-release")) -> dict[str, str]:
    for path in paths:
        try:
            lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
        return {key: value.strip("\"'") for key, _, value in pairs}
    return {}


@functools.cache
def possible_cpus() -> int:
    """How many CPUs this kernel may have: as many values has an element of a per-CPU map."""
    text = Path("/sys/devices/system/cpu/possible").read_text().strip()
    return int(text.split("-")[-1].split(",")[-1]) + 1 if text else (os.cpu_count() or 1)


_PATIENCE_S: Final = 20.0


def load(name: str) -> str | None:
    """Loads a module and what it needs; one that is there already is no error. Returns why it could not be, or None."""
    try:
        done = subprocess.run(["modprobe", "--", name], capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except FileNotFoundError:
        return "modprobe is not installed"
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"modprobe {name} failed: {error}"
    if done.returncode == 0:
        return None
    words = done.stderr.strip().splitlines()
    return f"modprobe {name} failed: {words[-1] if words else f'exit {done.returncode}'}"
