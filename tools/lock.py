"""Renews requirements.lock: every package, with its version, that the project and its extras need.

Only names and versions get into the file: where a machine fetches packages from is its own affair.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
HEADER = "# Made by `make lock` from pyproject.toml, all extras; never edited by hand.\n"


def wanted(project: dict[str, Any]) -> list[str]:
    extras = project["project"]["optional-dependencies"].values()
    return [*project["project"]["dependencies"], *(one for extra in extras for one in extra)]


def resolve(requirements: list[str]) -> dict[str, Any]:
    """pip's own plan for an empty environment."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--only-binary", ":all:", "--report", report.name, *requirements]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        plan: dict[str, Any] = json.load(report)
    return plan


def render(plan: dict[str, Any]) -> str:
    packages = [item["metadata"] for item in plan["install"]]
    return HEADER + "".join(sorted(f"{package['name'].lower()}=={package['version']}\n" for package in packages))


if __name__ == "__main__":
    LOCK.write_text(render(resolve(wanted(tomllib.loads((ROOT / "pyproject.toml").read_text())))))
