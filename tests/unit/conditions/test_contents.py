"""A trace or a table is a path or its contents; contents say what the file said."""

from __future__ import annotations

from pathlib import Path

import pytest

from netweather.conditions import contents
from netweather.conditions.contents import label_of, text_of, with_contents
from netweather.errors import UsageError


def test_contents_are_what_the_file_says_and_keep_its_name(tmp_path: Path) -> None:
    file = tmp_path / "train.trace"
    file.write_text("1\n5\n\n")
    inside = with_contents(str(file), "trace")
    assert inside == "1  # train.trace\n5\n", "each line keeps its number"
    file.unlink()
    assert text_of(inside, "trace") == inside
    assert with_contents(inside, "trace") == inside
    assert label_of(inside) == "train.trace"


@pytest.mark.parametrize(
    ("text", "first"), [("", "# a?1"), ("# of May\n7\n", "# of May  # a?1"), ("time,rate\n", "time,rate  # a?1")]
)
def test_any_first_line_takes_the_name(tmp_path: Path, text: str, first: str) -> None:
    (tmp_path / "a#1").write_text(text)
    inside = with_contents("a#1", "trace", tmp_path)
    assert (inside.splitlines()[0], label_of(inside), contents.is_contents(inside)) == (first, "a?1", True)
    assert label_of("# a?1\n1\n5\n") == "a?1", "as journals of older versions have it"


def test_a_path_is_told_as_it_is_and_lines_without_a_name_by_their_number() -> None:
    assert label_of("./train.trace") == "./train.trace"
    assert label_of("1\n5\n") == "of 2 lines"


def test_relative_paths_begin_at_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("7")
    assert text_of("a", "trace", tmp_path) == "7"


@pytest.mark.parametrize(("data", "why"), [(None, "No such file"), (b"\xff\xfe", "not a text"), (b"1234567890", "larger")])
def test_what_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes | None, why: str) -> None:
    monkeypatch.setattr(contents, "MOST_BYTES", 8)
    if data is not None:
        (tmp_path / "x").write_bytes(data)
    with pytest.raises(UsageError, match="unreadable-file") as caught:
        text_of(str(tmp_path / "x"), "table")
    assert why in caught.value.why
