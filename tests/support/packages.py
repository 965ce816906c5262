"""Debian packages that single tests need beyond tools/apt-test.txt: installed by name, as root; else the test is skipped."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


def missing(*packages: str) -> list[str]:
    """Those that are not installed."""
    return [one for one in packages if not _installed(one)]


def _installed(package: str) -> bool:
    command = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}", package]
    return shutil.which("dpkg-query") is not None and subprocess.run(command, capture_output=True, check=False).stdout == b"ii "


def need(*packages: str) -> str:
    """Installs what is missing, one session at a time. Returns why that can't be, or nothing."""
    if not missing(*packages):
        return ""
    if os.geteuid() or not shutil.which("apt-get"):
        return f"not installed: {' '.join(missing(*packages))} (Debian packages; installed here when the tests run as root)"
    with Path(tempfile.gettempdir(), "netweather-tests-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        absent = missing(*packages)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
        for words in (["update"], ["install", "-y", "--no-install-recommends", *absent]) if absent else ():
            done = subprocess.run(
                ["apt-get", "-qq", *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            if done.returncode:
                return f"apt-get {words[0]} {' '.join(absent)} failed: {done.stderr.strip()[-300:]}"
    return ""
