"""The generated reference pages are what would be written now."""

from __future__ import annotations

from tests.support.repository import ROOT, name
from tools import gen_docs


def test_no_page_is_stale() -> None:
    assert [name(path) for path in gen_docs.stale()] == [], f"run `{gen_docs.COMMAND}` (in .venv), and look at what changed"


def test_the_pages_have_every_command_and_every_parameter() -> None:
    from netweather.cli.command_list import COMMANDS
    from netweather.conditions.declare import declared_fields
    from netweather.conditions.model import Condition

    commands, conditions = gen_docs.cli_page(), gen_docs.conditions_page()
    assert [entry.name for entry in COMMANDS if f"## netweather {entry.name}\n" not in commands] == []
    assert [field.key for field in declared_fields(Condition) if f"| `{field.key}` |" not in conditions] == []


def test_the_written_page_is_told(capsys: object) -> None:
    assert gen_docs.main(["--check"]) == 0
    assert (ROOT / "docs" / "reference" / "cli.md").exists()


def test_numbers_are_told_by_their_power() -> None:
    assert [gen_docs._power(n) for n in (5, 65535, 2**32 - 1, 2**64 - 1, -(2**31))] == ["5", "65535", "2^32-1", "2^64-1", "-2^31"]
