"""What the demo asks its processes, over their stdin and stdout: one JSON object a line, one answer each, in order.

Pipes, not sockets: the networks under test must not come between the demo and its own processes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Verb = Callable[..., Awaitable[Any]]


async def answer(verbs: Mapping[str, Verb], line: bytes) -> bytes:
    """Does what one line asks for, and returns the line that answers it: {"answer": …} or {"error": …}."""
    try:
        request = json.loads(line)
        reply = {"answer": await verbs[request.pop("verb")](**request)}
    except Exception as error:  # whatever it is, the demo shows it; a process that died would say less
        reply = {"error": f"{type(error).__name__}: {error}"}
    return json.dumps(reply).encode() + b"\n"


async def obey(verbs: Mapping[str, Verb]) -> None:
    """Answers until stdin ends, as it does when the demo does. Says first that it is there."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    _say(b'{"answer": "ready"}\n')
    while line := await reader.readline():
        _say(await answer(verbs, line))


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
