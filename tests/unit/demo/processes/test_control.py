from __future__ import annotations

import asyncio
import json
import subprocess
import sys

from netweather.demo.processes.control import answer


async def double(number: int) -> int:
    return number * 2


def test_an_answer() -> None:
    assert json.loads(asyncio.run(answer({"double": double}, b'{"verb": "double", "number": 4}'))) == {"answer": 8}


def test_an_error_is_an_answer_too() -> None:
    for line in (b'{"verb": "double"}', b'{"verb": "halve"}', b"nonsense"):
        assert "error" in json.loads(asyncio.run(answer({"double": double}, line)))


def test_it_obeys_until_its_stdin_ends() -> None:
    script = """
import asyncio
from netweather.demo.processes.control import obey
async def echo(word): return word
asyncio.run(obey({"echo": echo}))
"""
    lines = '{"verb": "echo", "word": "a"}\n{"verb": "echo", "word": "b"}\n'
    done = subprocess.run([sys.executable, "-c", script], input=lines, capture_output=True, text=True, check=True, timeout=30)
    assert [json.loads(line)["answer"] for line in done.stdout.splitlines()] == ["ready", "a", "b"]
