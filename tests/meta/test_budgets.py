"""Lists of exceptions: each names what is there, and none grows."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.budget import listed
from tests.support.repository import ROOT

UNIT = ROOT / "tests" / "unit"
SLEEPING = UNIT / "sleeping.txt"
MOST_SLEEPING = 20  # the length of that list; it may only go down
WAITING = frozenset({"time.sleep", "asyncio.sleep", "until", "waiting.until", "pause", "waiting.pause", "holds", "soon"})
"""Functions that let real time pass."""


def sleeps(path: Path) -> bool:
    """Whether a file calls one of them, for longer than sleep(0), which only lets others run."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in WAITING and not (node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0):
                return True
    return False


def test_few_unit_tests_let_time_pass() -> None:
    found = {str(path.relative_to(UNIT)) for path in UNIT.rglob("*.py") if sleeps(path)}
    names = listed(SLEEPING)
    assert found - names == set(), "give the code a clock (tests/support/clock.py)"
    assert names - found == set(), "these don't any more (or are gone): take them off tests/unit/sleeping.txt"
    assert len(names) <= MOST_SLEEPING, "tests/unit/sleeping.txt may only shrink"


def test_no_unit_test_compiles() -> None:
    texts = {str(path.relative_to(UNIT)): path.read_text() for path in UNIT.rglob("*.py")}
    assert {name for name, text in texts.items() if "tests.native" in text or "ziglang" in text} == set()
