"""Renews requirements.lock: every package, with its version, that the project and its extras need.

The first part is what the package itself and its build need, which is all that `make demo` installs; the second the rest.
Only names and versions get into the file: where a machine fetches packages from is its own affair.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
HEADER = "# Made by `make lock` from pyproject.toml; never edited by hand.\n"
BASE = "# For the package and its build: all that `make demo` installs.\n"
REST = "# For the extras and the tests.\n"
EDITABLE = "editables"
"""What hatchling needs for an editable install, as the bootstrap makes it."""


def base(project: dict[str, Any]) -> list[str]:
    return [*project["project"]["dependencies"], *project["build-system"]["requires"], EDITABLE]


def wanted(project: dict[str, Any]) -> list[str]:
    extras = project["project"]["optional-dependencies"].values()
    return [*base(project), *(one for extra in extras for one in extra)]


def resolve(requirements: list[str]) -> dict[str, Any]:
    """pip's own plan for an empty environment."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--only-binary", ":all:", "--report", report.name, *requirements]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        plan: dict[str, Any] = json.load(report)
    return plan


def needed(plan: dict[str, Any], requirements: Iterable[str]) -> set[str]:
    """The names in the plan that these requirements need, themselves included."""
    of = {canonicalize_name(item["metadata"]["name"]): item["metadata"].get("requires_dist", ()) for item in plan["install"]}
    found: set[str] = set()
    waiting: list[tuple[Requirement, tuple[str, ...]]] = [(Requirement(one), ("",)) for one in requirements]
    done: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        one, extras = waiting.pop()
        name, wanted_extras = canonicalize_name(one.name), tuple(sorted(one.extras)) or ("",)
        if (one.marker and not any(one.marker.evaluate({"extra": extra}) for extra in extras)) or (name, wanted_extras) in done:
            continue
        done.add((name, wanted_extras))
        found.add(name)
        waiting += [(Requirement(each), wanted_extras) for each in of[name]]
    return found


def render(plan: dict[str, Any], requirements: Iterable[str]) -> str:
    """The lock's text. requirements: of its first part."""
    packages = [item["metadata"] for item in plan["install"]]
    first = needed(plan, requirements)
    lines = sorted(
        (canonicalize_name(each["name"]) not in first, f"{each['name'].lower()}=={each['version']}\n") for each in packages
    )
    parts = ("".join(line for rest, line in lines if rest is which) for which in (False, True))
    return HEADER + BASE + next(parts) + REST + next(parts)


if __name__ == "__main__":
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    LOCK.write_text(render(resolve(wanted(project)), base(project)))
