"""A guest of Debian's own kernel with this file system, booted in plain emulation; it has the netem that this machine lacks.

    result = run(["tests/contract", "-k", "clear"])

Everything is made from packages by name: qemu, busybox and kmod are installed, the kernel and virtme-ng are put into a cache
outside the repository. One boot takes 15 to 25 s; what runs inside takes ten times as long as here. The guest sees the
repository, but /tmp and /run are its own, and only the folder of results is written to.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.repository import ROOT

PACKAGES = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "depmod": "kmod"}
VIRTME = "virtme-ng==1.42"
KERNEL = "linux-image-amd64"
MODULES = Path("/lib/modules")
QUIETLY = ["nice", "-n", "19"]  # other people's timing tests run beside it
SCRIPT = """#!/bin/sh
modprobe -a tun sch_netem cls_bpf
cd {root}
export PYTHONDONTWRITEBYTECODE=1 HOME=/tmp NETWEATHER_GUEST=1
{python} -m pytest -p no:cacheprovider -p no:xdist --timeout=300 --junitxml={results}/junit.xml {arguments} >{results}/text 2>&1
echo $? >{results}/code
dmesg >{results}/dmesg
"""


class NoGuest(Exception):
    """There can be no guest here, and why."""


@dataclass(frozen=True)
class Result:
    """What pytest said in the guest: its exit code (None: it did not end), its output, its JUnit file's text."""

    code: int | None
    text: str
    junit: str
    dmesg: str


@dataclass(frozen=True)
class Kernel:
    """A kernel as its package has it, in a folder of the cache."""

    folder: Path
    version: str

    @property
    def image(self) -> Path:
        return self.folder / "boot" / f"vmlinuz-{self.version}"

    @property
    def modules(self) -> Path:
        return self.folder / "lib" / "modules" / self.version


def cache() -> Path:
    """Where kernels and tools stay from one run to the next."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = home / "netweather" / "guest"
    path.mkdir(parents=True, exist_ok=True)
    return path


def run(arguments: Sequence[str], *, patience: float = 280, package: str = KERNEL) -> Result:
    """Boots a guest, runs pytest there with these arguments, and brings back what it said. Raises NoGuest."""
    with _alone():
        _need_packages()
        tool, kernel = _virtme(), _kernel(package)
        results = Path(tempfile.mkdtemp(prefix="results-", dir=cache()))
        try:
            with _modules(kernel):
                log = _boot(tool, kernel, results, arguments, patience)
            code = _read(results / "code").strip()
            text = _read(results / "text") or f"the guest said nothing:\n{log[-3000:]}"
            return Result(int(code) if code else None, text, _read(results / "junit.xml"), _read(results / "dmesg"))
        finally:
            shutil.rmtree(results)


def _boot(tool: Path, kernel: Kernel, results: Path, arguments: Sequence[str], patience: float) -> str:
    script = results / "script"
    python = ROOT / ".venv" / "bin" / "python"
    script.write_text(SCRIPT.format(root=ROOT, python=python, results=results, arguments=shlex.join(arguments)))
    script.chmod(0o755)
    command = [*QUIETLY, str(tool), "--disable-kvm", "--cpus", "2", "--memory", "2G", "-r", str(kernel.image), "--rw"]
    environment = os.environ | {"PATH": f"{tool.parent}:{os.environ['PATH']}"}
    with (results / "log").open("w+b") as log:
        # A session of its own, so that qemu goes with it when it takes too long.
        process = subprocess.Popen(
            [*command, "--", str(script)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=results,
            start_new_session=True,
        )
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
    return _read(results / "log")


def _need_packages() -> None:
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise NoGuest(f"a guest needs {', '.join(missing)}")
    _do("apt-get", "-qq", "update")
    _do("apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing)


def _virtme() -> Path:
    """vng, in an environment of its own: nothing else here wants it."""
    folder = cache() / VIRTME.replace("==", "-")
    tool = folder / "bin" / "vng"
    if not tool.exists():
        venv.create(folder, clear=True, with_pip=True)
        _do(str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q", VIRTME)
    return tool


def _kernel(package: str) -> Kernel:
    """The newest kernel that a package stands for, unpacked."""
    if not shutil.which("apt-cache"):
        raise NoGuest("the kernel is Debian's package, and this is no Debian")
    listed = subprocess.run(["apt-cache", "depends", package], capture_output=True, text=True, check=False).stdout
    real = [line.split()[-1] for line in listed.splitlines() if "Depends:" in line]
    found = [path for path in sorted(cache().glob("linux-image-*")) if (path / "whole").exists()]
    if not real and not found:
        raise NoGuest(f"apt knows no {package}; `apt-get update` may help")
    folder = cache() / real[0] if real else found[-1]
    if not (folder / "whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        _do("apt-get", "-qq", "download", real[0], cwd=folder)
        (archive,) = folder.glob("*.deb")
        _do("dpkg", "-x", str(archive), str(folder))
        archive.unlink()
        _do("depmod", "-b", str(folder), folder.name.removeprefix("linux-image-"))
        (folder / "whole").touch()
    return Kernel(folder, folder.name.removeprefix("linux-image-"))


@contextmanager
def _modules(kernel: Kernel) -> Iterator[None]:
    """The guest looks for its modules where a kernel of this machine would have them: there for as long as it runs."""
    made = not MODULES.exists()
    link = MODULES / kernel.version
    if link.exists() and not link.is_symlink():
        yield
        return
    MODULES.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(kernel.modules)
    try:
        yield
    finally:
        link.unlink(missing_ok=True)
        if made:
            MODULES.rmdir()


@contextmanager
def _alone() -> Iterator[None]:
    """One guest at a time, whoever wants it."""
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _do(*command: str, cwd: Path | None = None) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, check=False)
    if done.returncode:
        raise NoGuest(f"{' '.join(command)}: exit {done.returncode}\n{(done.stdout + done.stderr)[-1000:]}")


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


if __name__ == "__main__":  # python -m tests.support.guest PYTEST-ARGUMENTS
    outcome = run(sys.argv[1:], patience=560)
    print(outcome.text)
    sys.exit(outcome.code if outcome.code is not None else 1)
