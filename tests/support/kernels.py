"""Kernels as Debian's packages have them, for guests: found by apt, unpacked into a cache outside the repository.

    kernel("bookworm")      # Linux 6.1, whatever this machine runs

Another suite's index is read beside this machine's own, which stays as it is; nothing is installed.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "linux-image-amd64"
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class NoGuest(Exception):
    """There can be no guest here, and why."""


@dataclass(frozen=True)
class Kernel:
    """A kernel in a folder of the cache."""

    folder: Path
    version: str

    @property
    def image(self) -> Path:
        old = self.folder / "boot" / f"vmlinuz-{self.version}"
        return old if old.exists() else self.folder / "usr" / "lib" / "modules" / self.version / "vmlinuz"


def cache() -> Path:
    """Where kernels and tools stay from one run to the next."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = home / "netweather" / "guest"
    path.mkdir(parents=True, exist_ok=True)
    return path


def kernel(suite: str) -> Kernel:
    """The kernel of one of Debian's suites; fetched when the cache has none of it. Raises NoGuest."""
    place = cache() / suite
    found = [path for path in sorted(place.glob("linux-image-*")) if (path / "whole").exists()]
    folder = found[-1] if found else _fetched(suite, place)
    return Kernel(folder, folder.name.removeprefix("linux-image-"))


def _fetched(suite: str, place: Path) -> Path:
    if not shutil.which("apt-get"):
        raise NoGuest("the kernel is Debian's package, and this is no Debian")
    place.mkdir(exist_ok=True)
    options = _index(suite, place)
    real = _depends(options, PACKAGE, "linux-image-")
    if not real and not os.geteuid():  # a new machine has no lists yet
        do("apt-get", *options, "-qq", "update")
        real = _depends(options, PACKAGE, "linux-image-")
    if not real:
        raise NoGuest(f"apt knows no {PACKAGE} of {suite}; `apt-get update` may help")
    version = real[0].removeprefix("linux-image-")
    folder = place / real[0]
    shutil.rmtree(folder, ignore_errors=True)  # of a fetch that was broken off
    folder.mkdir()
    # Later ones have the kernel and its modules in packages of their own.
    parts = [one for one in _depends(options, real[0], "linux-") if one.endswith(version) and "base" not in one]
    do("apt-get", *options, "-qq", "download", real[0], *parts, cwd=folder)
    for archive in folder.glob("*.deb"):
        do("dpkg", "-x", str(archive), str(folder))
        archive.unlink()
    if not (folder / "lib" / "modules").exists():  # Debian 13 and later have them in /usr only
        (folder / "lib").mkdir(exist_ok=True)
        (folder / "lib" / "modules").symlink_to("../usr/lib/modules")
    do("depmod", "-b", str(folder), version)
    (folder / "whole").touch()
    return folder


def _depends(options: list[str], package: str, prefix: str) -> list[str]:
    """The packages of that prefix that a package depends on."""
    listed = do("apt-cache", *options, "depends", package).splitlines()
    return [word for line in listed if "Depends:" in line and (word := line.split()[-1]).startswith(prefix)]


def _index(suite: str, place: Path) -> list[str]:
    """apt's options that make it read this suite, and its index fetched; none for the suite that this machine follows."""
    if platform.freedesktop_os_release().get("VERSION_CODENAME") == suite:
        return []
    sources, lists = place / "sources", place / "lists"
    for folder in (sources, lists / "partial", place / "apt"):
        folder.mkdir(parents=True, exist_ok=True)
    text = f"Types: deb\nURIs: {mirror()}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYS}\n"
    (sources / "suite.sources").write_text(text)
    settings = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": sources,
        "Dir::State::Lists": lists,
        "Dir::Cache": place / "apt",
        "APT::Sandbox::User": "root",  # another user can't read a home's cache
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    do("apt-get", *options, "-qq", "update")
    return options


def mirror() -> str:
    """Where this machine's own packages come from: other suites are beside them."""
    wanted = ["Created-By: Packages", "Component: main", "Label: Debian"]
    found = do("apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted).split()
    if not found:
        raise NoGuest("this machine's apt follows no Debian suite")
    return found[0]


def do(*command: str, cwd: Path | None = None) -> str:
    """Runs a command to its end; what it said. Raises NoGuest."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, check=False)
    if done.returncode:
        raise NoGuest(f"{' '.join(command)}: exit {done.returncode}\n{(done.stdout + done.stderr)[-1000:]}")
    return done.stdout
