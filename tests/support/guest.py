"""A guest with a kernel of Debian's and this file system, booted in plain emulation; it has the netem that this machine may lack.

    result = run(["tests/contract", "-k", "clear"], suite="bookworm")

Everything is made from packages by name: qemu, busybox and kmod are installed, the kernel and virtme-ng are put into a cache
outside the repository. A boot takes 15 to 25 s; what runs inside takes about ten times as long as here. The guest reads this
machine's files; its /tmp and /run are its own, and only the folder of results is written to, test by test: a guest that is too
slow ends in time, and what it did until then counts. It ends with the test, however that ends, and nothing is left of it.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support import machine, outcomes
from tests.support.kernels import Kernel, NoGuest, cache, do, kernel
from tests.support.outcomes import Outcomes
from tests.support.repository import ROOT

PACKAGES = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "depmod": "kmod"}
VIRTME = "virtme-ng==1.42"
MODULES = Path("/lib/modules")
BOOT = 300 * machine.SLOW
"""Seconds until it has booted, or there can be no guest here; 15 to 25 when nothing else runs."""
ENDING = 30
"""Seconds before its end from which on it starts no further test: the one that runs may end, and the guest may halt."""
SLOW = 10 * machine.SLOW
"""How many times as long as usual things may take in an emulated guest (NETWEATHER_TEST_SLOW)."""
TIED = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount-proc", "--pid", "--fork", "--kill-child=KILL", "--"]
"""In front of a command: it ends with us, and everything that it started with it."""
START = """
import sys
from virtme import mkinitramfs
from virtme.commands.run import main
mkinitramfs._MOUNT_ROOT_HOST = mkinitramfs._MOUNT_ROOT_HOST.replace("trans=virtio,", "trans=virtio,cache=loose,")
sys.exit(main())
"""
"""virtme-run, but the guest remembers what it has read of this machine's files: without that, each start of a program takes seconds."""
# An emulated processor pays dearly for defences, wide vectors and clocks that are devices.
HARDWARE = ["--disable-kvm", "--cpus", "2", "--memory", "2G"]
HARDWARE += [f"--kopt={option}" for option in ("mitigations=off", "tsc=reliable", "clocksource=tsc")]
PROCESSOR = ["--qemu-opts", "-cpu", "Nehalem"]
PYTEST = "-m pytest -p no:cacheprovider -p no:schemathesis -p no:anyio -p tests.support.outcomes -vv --timeout=30 --reruns 1 "
PYTEST += "--outcomes={results}/outcomes --seconds=$(({seconds:.0f} - $(cut -d. -f1 /proc/uptime)))"
BENCH = "-m tools.bench --json {results}/report"
SCRIPT = """#!/bin/sh
touch {results}/booted
modprobe -a tun sch_netem cls_bpf
cd {root}
export PYTHONDONTWRITEBYTECODE=1 HOME=/tmp HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis MPLCONFIGDIR=/tmp/matplotlib
export XDG_CACHE_HOME={cache} NETWEATHER_GUEST=1 NETWEATHER_TEST_SLOW={slow} PYTHONPATH={root}/src
{python} {command} >{results}/text 2>&1
echo $? >{results}/code
dmesg >{results}/dmesg
"""


@dataclass(frozen=True)
class Result:
    """What the program said in the guest, and of which Linux: its exit code, its output, the text of its report.

    code: None when it did not end. died: so did the guest, by itself. outcomes: of pytest, as far as it came.
    """

    linux: str
    code: int | None
    text: str
    report: str
    dmesg: str
    died: bool
    outcomes: Outcomes


def run(arguments: Sequence[str], *, suite: str = "bookworm", patience: float = 280, program: str = PYTEST) -> Result:
    """Boots a guest with the kernel of one of Debian's suites, runs a program there, and brings back what it said.

    program: PYTEST or BENCH, which take the arguments.
    patience: seconds after which it is ended, wherever it is.
    Raises NoGuest where there can't be one: no package, not this architecture, or it never boots.
    """
    if platform.machine() != "x86_64":
        raise NoGuest(f"guests are of x86_64, and this is {platform.machine()}")
    with _alone():
        _need_packages()
        tool, chosen = _virtme(), kernel(suite)
        for stale in cache().glob("results-*"):  # of a session that was killed
            shutil.rmtree(stale)
        results = Path(tempfile.mkdtemp(prefix="results-", dir=cache()))
        try:
            command = program.format(results=results, seconds=patience - ENDING)
            with _modules():
                ended = _boot(tool, chosen, results, f"{command} {shlex.join(arguments)}", patience)
            log = _read(results / "log")
            if not (results / "booted").exists():
                raise NoGuest(f"a guest with {chosen.version} does not boot here: {log[-1000:].strip() or 'it says nothing'}")
            code = _read(results / "code").strip()
            why = "died" if ended else f"was ended after {patience:g} s"
            text = _read(results / "text") + ("" if code else f"\nthe guest {why}:\n{log[-3000:]}")
            seen = outcomes.read(_read(results / "outcomes"))
            files = _read(results / "report"), _read(results / "dmesg")
            return Result(chosen.version, int(code) if code else None, text, *files, ended and not code, seen)
        finally:
            shutil.rmtree(results)


def _boot(tool: Path, chosen: Kernel, results: Path, command: str, patience: float) -> bool:
    """Runs the guest; whether it ended by itself."""
    script = results / "script"
    python = ROOT / ".venv" / "bin" / "python"
    home = cache().parent.parent
    script.write_text(SCRIPT.format(root=ROOT, python=python, results=results, command=command, cache=home, slow=SLOW))
    script.chmod(0o755)
    start = [str(tool / "bin" / "python"), "-c", START, "--kimg", str(chosen.image), "--mods", "auto", *HARDWARE]
    start += ["--rwdir", str(results), *(f"--overlay-rwdir={each}" for each in ("/etc", "/tmp", "/var"))]
    start += ["--script-sh", str(script), *PROCESSOR]
    environment = os.environ | {"PATH": f"{tool / 'bin'}:{os.environ['PATH']}"}
    with (results / "log").open("w+b") as log:
        process = subprocess.Popen(
            [*TIED, *start], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=results
        )
        try:
            with suppress(subprocess.TimeoutExpired):
                process.wait(min(BOOT, patience))
            if (results / "booted").exists():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, patience - BOOT))
            return process.poll() is not None
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _need_packages() -> None:
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise NoGuest(f"a guest needs {', '.join(missing)}")
    do("apt-get", "-qq", "update")
    do("apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing)


def _virtme() -> Path:
    """virtme-ng, in an environment of its own: nothing else here wants it."""
    folder = cache() / VIRTME.replace("==", "-")
    if not (folder / "bin" / "virtme-run").exists():
        venv.create(folder, clear=True, with_pip=True)
        do(str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q", VIRTME)
    return folder


@contextmanager
def _modules() -> Iterator[None]:
    """The guest puts its modules where a kernel of this machine would have them, so that place must be there."""
    made = not MODULES.exists()
    MODULES.mkdir(exist_ok=True)
    try:
        yield
    finally:
        if made:
            MODULES.rmdir()


@contextmanager
def _alone() -> Iterator[None]:
    """One guest at a time, whoever wants it."""
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


if __name__ == "__main__":  # python -m tests.support.guest [--suite trixie] [--patience 560] PYTEST-ARGUMENTS
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--suite", default="bookworm")
    parser.add_argument("--patience", type=float, default=560)
    options, rest = parser.parse_known_args()
    outcome = run(rest, suite=options.suite, patience=options.patience)
    print(outcome.text)
    sys.exit(outcome.code if outcome.code is not None else 1)
