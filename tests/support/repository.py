"""The repository as its own tests see it: the files git knows or would add, the package's modules, and what pages print."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "netweather"


@cache
def files() -> tuple[Path, ...]:
    """Every file that is, or would be, under version control; in an unpacked sdist: every file but caches."""
    if (ROOT / ".git").exists():
        command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        found = [ROOT / name for name in listed.split("\0") if name]
    else:
        found = [path for path in ROOT.rglob("*") if not any(map(_made, path.relative_to(ROOT).parts))]
    return tuple(sorted(path for path in found if path.is_file()))


def _made(part: str) -> bool:
    return part in {"__pycache__", "_built", "dist", "node_modules"} or (
        part.startswith(".") and part.endswith(("_cache", "venv"))
    )


def below(folder: str, *suffixes: str) -> list[Path]:
    """The files in a folder with one of these endings."""
    return [path for path in files() if path.is_relative_to(ROOT / folder) and path.name.endswith(suffixes)]


def name(path: Path) -> str:
    """How a test names a file: relative to the repository."""
    return str(path.relative_to(ROOT))


def printed(page: str, language: str = "sh") -> list[str]:
    """What a page of docs/ prints in blocks of a language: for a shell the commands, each on one line; else a text for each block."""
    text = (ROOT / "docs" / page).read_text()
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    if language != "sh":
        return blocks
    return [line for block in blocks for line in block.replace("\\\n", "").splitlines() if line.strip()]
