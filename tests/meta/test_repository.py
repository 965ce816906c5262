"""Rules for the repository as a whole."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.repository import ROOT, below, files, name

SUFFIXES = {".c", ".h", ".py", ".md", ".toml", ".txt", ".lock", ".sh", ".yaml", ".yml", ".json", ".html", ".js", ".ts", ""}
MACHINE = {  # what belongs to one machine, and its remedy
    r"/(root|home/\w+|Users)/\S": "a home folder: use ~ or an environment variable",
    r"(?<![\w.~}])/(work|opt)/\w": "a folder of one machine",
    r"\b(index-url|find-links|trusted-host)\b": "where packages come from is the machine's affair",
    r"\b(pypi\.org|pythonhosted\.org|npmjs\.org|deb\.debian\.org|proxy\.golang\.org|registry-1\.docker\.io)": "a registry's host",
}
TEXTS = [path for path in files() if path.suffix in SUFFIXES and path != Path(__file__)]
PAGES = [path for path in files() if path.suffix == ".md"]


@pytest.mark.parametrize("page", TEXTS, ids=name)
def test_nothing_of_one_machine_is_in_the_repository(page: Path) -> None:
    text = page.read_text()
    found = [f"{match[0]!r}: {why}" for pattern, why in MACHINE.items() for match in re.finditer(pattern, text)]
    assert found == []


def test_the_lock_holds_names_and_versions_only() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+!]*|# .*", line)] == []


def test_the_lock_names_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    locked = {line.split("==")[0].replace("_", "-") for line in (ROOT / "requirements.lock").read_text().splitlines()}
    missing = {re.split(r"[\[<>=~!; ]", one)[0].lower().replace("_", "-") for one in wanted} - locked
    assert not missing, "run `make lock`"


def test_the_layers_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_in_pages_is_python(page: Path) -> None:
    for block in re.findall(r"^```(?:python|py)\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE):
        compile(block, name(page), "exec")


def test_scripts_can_be_run() -> None:
    scripts = [*below("tools", ".sh"), ROOT / ".ci" / "run"]
    assert [name(path) for path in scripts if not path.stat().st_mode & 0o111] == []
