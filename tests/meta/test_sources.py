"""Rules for every source file that no linter knows."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repository import PACKAGE, ROOT, below, name

MODULES = below("src/netweather", ".py")
TOOLS = [*below("tools", ".py"), *below("tests/support", ".py"), ROOT / "hatch_build.py"]
PYTHON = [*MODULES, *TOOLS, *below("tests", ".py")]
C_SOURCES = [*below("bpf", ".c"), *below("pump", ".c")]
UNTESTED = ROOT / "tests" / "meta" / "untested.txt"
LONGEST_UNTESTED = 0  # the length of that list; it may only go down
KERNEL_LICENCE = "/* SPDX-License-Identifier: GPL-2.0-only OR MIT */"  # the kernel asks for a GPL-compatible one
MODULE_LINES, FUNCTION_LINES = 400, 40


def find_tests(source: Path) -> list[Path]:
    """The test files of a source, in any level, in a folder named as the source's or none: test_NAME.py, test_NAME_MORE.py,
    test_FOLDER_NAME.py. A C program is tested as a whole: test_FOLDER.py, or any in a folder named as its."""
    stem, folder = source.name.split(".")[0].strip("_"), source.parent.name
    names = rf"test_({stem}|{stem}_.*|{folder}_{stem})"
    if source.suffix == ".c":
        names = rf"test_({folder}|{folder}_.*)|.*/{folder}/test_.*"
    folders = {folder, "unit", "native", "contract", "kernel", "e2e", "meta"}
    tests = [path for path in below("tests", ".py") if path.parent.name in folders]
    return [path for path in tests if re.fullmatch(names, path.stem) or re.fullmatch(names, str(path.with_suffix("")))]


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


def offered(tree: ast.Module) -> set[str]:
    """The public names a package's __init__ defines, or imports from its own project."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update(target.id for target in targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("netweather"):
            found.update(alias.asname or alias.name for alias in node.names)
    return {one for one in found if not one.startswith("_")}


@pytest.mark.parametrize("source", [path for path in MODULES if path.name == "__init__.py"], ids=name)
def test_all_names_what_a_package_offers(source: Path) -> None:
    package = importlib.import_module(".".join(source.parent.relative_to(PACKAGE.parent).parts))
    assert offered(ast.parse(source.read_text())) <= set(getattr(package, "__all__", ())), "public, but not in __all__"


@pytest.mark.parametrize("source", MODULES, ids=name)
def test_all_names_only_what_is_there(source: Path) -> None:
    if "__all__" in source.read_text():
        module = importlib.import_module(
            ".".join(source.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        )
        assert len(module.__all__) == len(set(module.__all__)), "__all__ names something twice"
        assert [one for one in module.__all__ if not hasattr(module, one)] == []


# What we use of a library that it does not promise: where, what, and the test that sees when it has gone.
PRIVATE = {
    (
        "src/netweather/kubernetes/server/api.py",
        "_session",
    ): "kubernetes/server/test_api.py::test_close_lets_the_connections_go"
}
PUBLIC = {"_replace", "_asdict", "_make", "_fields", "_exit"}  # promised, though their names begin with an underscore


def private_names(tree: ast.Module, own: set[str]) -> set[str]:
    """Names with an underscore that a module takes from what is not ours."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("netweather"):
            found.update([*(node.module or "").split("."), *(alias.name for alias in node.names)])
        elif isinstance(node, ast.Import):
            found.update(part for alias in node.names for part in alias.name.split("."))
    return {one for one in found - own - PUBLIC if re.match(r"_[a-z]", one)}


def defined(tree: ast.Module) -> Iterator[str]:
    """The names that a module gives to functions, classes, variables and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def test_private_names_of_libraries_are_listed_with_the_test_that_guards_them() -> None:
    trees = {path: ast.parse(path.read_text()) for path in MODULES}
    own = {one for tree in trees.values() for one in defined(tree)}
    assert {(name(path), one) for path, tree in trees.items() for one in private_names(tree, own)} == set(PRIVATE)
    for test in PRIVATE.values():
        file, function = test.split("::")
        assert f"def {function}(" in (ROOT / "tests/unit" / file).read_text()


def test_a_private_name_is_seen() -> None:
    text = "import a._b\nfrom c import _d\nself._e.f._g\nx._replace()"
    assert private_names(ast.parse(text), {"_e"}) == {"_b", "_d", "_g"}


@pytest.mark.parametrize("source", [*MODULES, *TOOLS], ids=name)
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
