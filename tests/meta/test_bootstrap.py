"""tools/bootstrap.sh and its lists: what the package and the demo use is in theirs, and nothing else is."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.machine import SLOW
from tests.support.repository import ROOT
from tools import lock

DEMO, TEST = ROOT / "tools" / "apt-demo.txt", ROOT / "tools" / "apt-test.txt"
IMPORTS = """
import importlib, pkgutil, sys
from pathlib import Path
import netweather.demo
for each in pkgutil.walk_packages(netweather.demo.__path__, "netweather.demo."):
    importlib.import_module(each.name)
print(*sorted({name.split(".")[0] for name in sys.modules} - {*sys.stdlib_module_names}))
"""


def packages(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if not line.startswith("#")]


def locked() -> set[str]:
    """What `make demo` installs of Python packages."""
    first = lock.LOCK.read_text().split(lock.REST)[0]
    return {canonicalize_name(line.split("==")[0]) for line in first.splitlines() if "==" in line}


def test_each_package_is_in_one_list_in_order() -> None:
    assert packages(DEMO) == sorted(packages(DEMO))
    assert packages(TEST) == sorted(packages(TEST))
    assert not {*packages(DEMO)} & {*packages(TEST)}


def test_the_locks_first_part_is_what_the_package_and_its_build_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    waiting, found = lock.base(project), set()
    while waiting:
        one = Requirement(waiting.pop())
        if canonicalize_name(one.name) not in found and (one.marker is None or one.marker.evaluate({"extra": ""})):
            found.add(canonicalize_name(one.name))
            waiting += distribution(one.name).requires or []
    assert locked() == found, "run `make lock`"


def test_what_the_demo_imports_is_in_the_first_part() -> None:
    command = [sys.executable, "-c", IMPORTS]
    names = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    of = packages_distributions()
    used = {canonicalize_name(each) for name in names for each in of.get(name, ())} - {"netweather", "setuptools"}
    assert used
    assert used <= locked()


@pytest.mark.root
@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.skipif(not (shutil.which("strace") and shutil.which("dpkg-query")), reason="no strace here, or no Debian")
def test_what_the_demo_executes_and_loads_is_in_its_list(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = [
        "strace",
        "-f",
        "-qq",
        "-e",
        "trace=execve,openat",
        "-o",
        str(trace),
        sys.executable,
        "-c",
        "from netweather.cli import main; main()",
        "demo",
        "--fast",
    ]
    environment = {**os.environ, "NETWEATHER_STATE": str(tmp_path / "state")}
    subprocess.run(command, env=environment, capture_output=True, check=False, timeout=200 * SLOW)
    opened = re.findall(r'(?:execve\(|openat\(AT_FDCWD, )"([^"]+)".*\) = \d', trace.read_text())
    files = {os.path.realpath(path) for path in opened if "/bin/" in path or "/sbin/" in path or re.search(r"\.so(\.|$)", path)}
    of_debian = ("/usr/lib/", "/usr/bin/", "/usr/sbin/", "/lib", "/bin/", "/sbin/")
    files = {path for path in files if path.startswith(of_debian) and "/python3" not in path}
    used = {package for path in files for package in owners(path)}
    assert "libbpf1" in used
    assert used <= installed_with(packages(DEMO)), files


def owners(path: str) -> list[str]:
    """The Debian packages that a file is of; those of /usr may be known by their place before the merge."""
    for name in (path, path.removeprefix("/usr")):
        said = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True, check=False).stdout
        if said:
            return [each.split(":")[0].strip() for each in said.split(": ")[0].split(",")]
    return [f"nobody's: {path}"]


def installed_with(wanted: list[str]) -> set[str]:
    """Packages that a system has that has these: theirs, what these need, and what every Debian has."""
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package}\t${Essential}\t${Pre-Depends}, ${Depends}\n"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split("\t") for line in shown.stdout.splitlines()]
    needs = {name: re.findall(r"(?:^|[,|])\s*([a-z0-9.+-]+)", depends) for name, _, depends in rows}
    found: set[str] = set()
    waiting = [*wanted, *(name for name, essential, _ in rows if essential == "yes")]
    while waiting:
        if (one := waiting.pop()) not in found:
            found.add(one)
            waiting += needs.get(one, [])
    return found
