"""Rules for every source file that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.repository import PACKAGE, ROOT, below, name

MODULES = below("src/netweather", ".py")
PYTHON = [*MODULES, *below("tests", ".py"), *below("tools", ".py"), ROOT / "hatch_build.py"]
C_SOURCES = [*below("bpf", ".c"), *below("pump", ".c")]
UNTESTED = ROOT / "tests" / "meta" / "untested.txt"
LONGEST_UNTESTED = 0  # the length of that list; it may only go down
KERNEL_LICENCE = "/* SPDX-License-Identifier: GPL-2.0-only OR MIT */"  # the kernel asks for a GPL-compatible one
MODULE_LINES, FUNCTION_LINES = 400, 40


def find_tests(source: Path) -> list[Path]:
    """The test files of a source, in any level, in a folder named as the source's or none: test_NAME.py, test_NAME_MORE.py,
    test_FOLDER_NAME.py; for C also test_FOLDER.py, because a program is tested as a whole."""
    stem, folder = source.name.split(".")[0].strip("_"), source.parent.name
    names = rf"{stem}|{stem}_.*|{folder}_{stem}" + (rf"|{folder}|{folder}_.*" if source.suffix == ".c" else "")
    folders = {folder, "unit", "contract", "kernel", "e2e", "meta"}
    return [path for path in below("tests", ".py") if re.fullmatch(f"test_({names})", path.stem) and path.parent.name in folders]


def has_code(source: Path) -> bool:
    """Whether there is anything to test: a function or a class with a body."""
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(ast.parse(source.read_text())))


def test_every_source_has_its_tests() -> None:
    excused = {line.split()[0] for line in UNTESTED.read_text().splitlines() if line and not line.startswith("#")}
    sources = [path for path in [*MODULES, *below("tools", ".py")] if has_code(path)]
    untested = {name(path) for path in [*sources, *C_SOURCES] if not find_tests(path)}
    assert untested - excused == set(), "write tests/LEVEL/FOLDER/test_NAME.py for these"
    assert excused - untested == set(), "these have tests now (or are gone): take them off tests/meta/untested.txt"
    assert len(excused) <= LONGEST_UNTESTED, "tests/meta/untested.txt may only shrink"


@pytest.mark.parametrize("source", MODULES, ids=name)
def test_modules_say_what_they_are_and_stay_short(source: Path) -> None:
    text = source.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module begins with what it is, and what it is not"
    lines = text.splitlines()
    assert len(lines) <= MODULE_LINES or re.search(r"^# long: .", text, re.MULTILINE), f"{len(lines)} lines and no `# long: why`"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            header = "\n".join(lines[node.lineno - 1 : node.body[0].lineno])
            assert length <= FUNCTION_LINES or "# long: " in header, (
                f"{node.name}: {length} lines and no `# long: why` at its def"
            )


def public_names(tree: ast.Module, *, package: bool) -> set[str]:
    """What a module offers: its own classes, functions and constants; a package's __init__ also what it imports from itself."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        elif package and isinstance(node, ast.ImportFrom) and (node.module or "").startswith("netweather"):
            found.update(alias.asname or alias.name for alias in node.names)
    return {one for one in found if not one.startswith("_")}


@pytest.mark.parametrize("source", MODULES, ids=name)
def test_all_names_what_is_public(source: Path) -> None:
    tree = ast.parse(source.read_text())
    package = source.name == "__init__.py"
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"]
    if not assigned:
        assert not package or not public_names(tree, package=True), "a package that offers names lists them in __all__"
        return
    listed = ast.literal_eval(assigned[0].value)
    assert len(listed) == len(set(listed)), "__all__ names something twice"
    missing = public_names(tree, package=package) - set(listed)
    assert not missing, "public, but not in __all__ (begin the name with an underscore?)"


@pytest.mark.parametrize("source", PYTHON, ids=name)
def test_every_ignore_has_a_reason(source: Path) -> None:
    for number, line in enumerate(source.read_text().splitlines(), 1):
        if re.search(r"#\s*noqa", line):
            assert re.search(r"# noqa: [A-Z0-9, ]+\W+\w", line), f"line {number}: write `# noqa: CODE - why`"
        if re.search(r"#\s*type:\s*ignore", line):
            assert re.search(r"# type: ignore\[[a-z-, ]+\]  # \S", line), f"line {number}: write `# type: ignore[code]  # why`"


@pytest.mark.parametrize("source", below("bpf", ".c", ".h"), ids=name)
def test_bpf_sources_begin_with_their_licence(source: Path) -> None:
    assert source.read_text().splitlines()[0] == KERNEL_LICENCE


def test_all_other_sources_leave_the_licence_to_the_project() -> None:
    others = [*PYTHON, *below("pump", ".c", ".h")]
    assert [name(path) for path in others if "SPDX-License" in path.read_text() and path != Path(__file__)] == []


def test_a_package_is_marked_as_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
