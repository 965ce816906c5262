"""-f FILE: YAML, JSON, several documents, stdin, and what is wrong with them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from netweather.cli.files import read_conditions
from netweather.errors import UsageError

YAML = "name: a\nrules: [{condition: {delay: 100ms}}]\n"
JSON = json.dumps({"name": "a", "rules": [{"condition": {"delay": "100ms"}}]}, indent="\t")


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("a.yaml", YAML, ["a"]),
        ("a.yaml", f"{YAML}---\n{YAML.replace('name: a', 'name: b')}", ["a", "b"]),
        ("a.json", JSON, ["a"]),
        ("a.txt", JSON, ["a"]),
        ("a.txt", f"[{JSON}]", ["a"]),
        ("a.yaml", "{name: a, rules: [{condition: {delay: 100ms}}]}", ["a"]),
    ],
)
def test_what_is_read(tmp_path: Path, name: str, text: str, names: list[str]) -> None:
    (tmp_path / name).write_text(text)
    assert [condition.name for condition in read_conditions(str(tmp_path / name))] == names


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(YAML))
    assert read_conditions("-")[0].name == "a"


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("a.yaml", "", "no-condition"),
        ("a.json", YAML, "bad-json"),
        ("a.yaml", "a: [", "bad-yaml"),
        ("a.yaml", "rules: [{condition: {dealy: 1s}}]", "unknown-key"),
        ("a.yaml", "rules: [{condition: {loss: 3}}]", "bad-percent"),
        ("a.txt", '{"rules": [{"condition": {"loss": "3"}}]}', "bad-percent"),
    ],
)
def test_what_is_wrong_names_the_file(tmp_path: Path, name: str, text: str, code: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError) as raised:
        read_conditions(str(tmp_path / name))
    assert raised.value.code == code
    assert raised.value.what.startswith(str(tmp_path / name))


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    for path in (tmp_path / "none", tmp_path, tmp_path / "binary"):
        with pytest.raises(UsageError) as raised:
            read_conditions(str(path))
        assert raised.value.code == "no-file"
