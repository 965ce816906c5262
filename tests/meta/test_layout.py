"""Where code stands and what it is called: no circles, no crowded folder, one meaning a name; and that docs name what exists.

Each budget is what is left; it may only go down.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repository import PACKAGE, ROOT, below, name

MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in below("src/netweather", ".py")
}
TREES = {module: ast.parse(path.read_text()) for module, path in MODULES.items()}
MOST_MODULES = 15
REPEATED_CLASSES, REPEATED_MODULES, TWIN_MODULES = 9, 13, 2
DOCS = [ROOT / "docs/architecture.md", ROOT / "CONTRIBUTING.md", *below("docs/decisions", ".md")]


def imported(module: str) -> set[str]:
    """The modules of the package that a module imports, at any depth, but for those that only type checkers see."""
    found: set[str] = set()
    for node in _nodes(TREES[module]):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            both = (f"{node.module}.{alias.name}" for alias in node.names)
            found.update(each if each in MODULES else node.module for each in both)
    return found & set(MODULES)


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            yield from _nodes(node)


def in_circles(graph: dict[str, set[str]]) -> set[str]:
    """What stays when whoever imports nothing of the rest, or is imported by nothing of it, is taken away again and again."""
    left = set(graph)
    while True:
        imports = {each for each in left if graph[each] & left}
        wanted = {other for each in left for other in graph[each] & left}
        if left == imports & wanted:
            return left
        left = imports & wanted


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert in_circles({module: imported(module) for module in MODULES}) == set()


def test_a_circle_is_seen() -> None:
    assert in_circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == {"b", "c"}


def test_no_folder_is_crowded() -> None:
    inside: dict[str, int] = defaultdict(int)
    for path in MODULES.values():
        inside[name(path.parent)] += path.name != "__init__.py"
    assert {folder: count for folder, count in inside.items() if count > MOST_MODULES} == {}


def classes(tree: ast.Module) -> set[str]:
    """Classes and names for types at a module's top."""
    found = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update(each.id for each in targets if isinstance(each, ast.Name) and re.match(r"_?[A-Z][a-z]", each.id))
    return found


def test_a_class_name_means_one_thing() -> None:
    where: dict[str, list[str]] = defaultdict(list)
    for module, tree in TREES.items():
        for each in classes(tree):
            where[each].append(module)
    repeated = {each: modules for each, modules in where.items() if len(modules) > 1}
    assert len(repeated) <= REPEATED_CLASSES, repeated


def _stems() -> list[str]:
    return [path.stem.strip("_") for path in MODULES.values() if path.stem not in ("__init__", "__main__")]


def test_a_module_name_means_one_thing() -> None:
    stems = _stems()
    repeated = sorted({each for each in stems if stems.count(each) > 1})
    assert len(repeated) <= REPEATED_MODULES, repeated


def test_module_names_are_no_near_twins() -> None:
    roots: dict[str, set[str]] = defaultdict(set)
    for stem in _stems():
        roots[re.sub(r"(es|s|ing|er|ers|ed|e)$", "", stem)].add(stem)
    twins = sorted(sorted(each) for each in roots.values() if len(each) > 1)
    assert len(twins) <= TWIN_MODULES, twins


@pytest.mark.parametrize("page", DOCS, ids=name)
def test_files_and_modules_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    paths = re.findall(r"(?<![\w/.<{])((?:\w+/)+(?:\w+\.(?:py|md|h|c|toml|txt|yaml))?)(?![\w/*.])", text)
    missing = [
        each for each in paths if "LEVEL" not in each and not any((root / each).exists() for root in (ROOT, PACKAGE, page.parent))
    ]
    dotted = re.findall(r"\bnetweather(?:\.[A-Za-z_]\w*)+", text)
    assert set(missing) - {"dist/"} | {each for each in dotted if not _is_there(each)} == set()


def _is_there(dotted: str) -> bool:
    module, _, last = dotted.rpartition(".")
    return dotted in MODULES or (module in MODULES and re.search(rf"\b{last}\b", MODULES[module].read_text()) is not None)


def test_classes_that_the_architecture_names_exist() -> None:
    known = {each for tree in TREES.values() for each in classes(tree)}
    spans = re.findall(r"`([^`\n]+)`", (ROOT / "docs/architecture.md").read_text())
    named = {each for span in spans for each in re.findall(r"\b[A-Z][a-z]+[A-Za-z]*\b", span)}
    assert named - known == set()
