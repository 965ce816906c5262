"""HTTP/1.1, as much as a small shop needs: kept-open connections, bodies with a length, streams without. On asyncio.

Not here: TLS, chunked bodies, pipelining, and anything that a server on the open Internet must withstand.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

MOST_BODY = 1 << 20
REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error"}


class BadMessage(ConnectionError):
    """The other side does not speak HTTP as we know it; the connection is of no use any more."""


@dataclass(frozen=True)
class Request:
    """What a client asks. headers: names in small letters."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """What a server answers; with a stream the body is what that yields, and the connection ends after it."""

    status: int
    body: bytes = b""
    kind: str = "application/json"
    stream: AsyncIterator[bytes] | None = None


Handle = Callable[[Request], Awaitable[Response]]


async def _head(reader: asyncio.StreamReader) -> tuple[list[str], dict[str, str]] | None:
    """The words of the first line, and the headers; None when the connection ends before."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise BadMessage("the connection ended within a message") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise BadMessage("the headers are too long") from error
    first, *lines = text.split("\r\n")[:-2]
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    words = first.split(" ", 2)
    if len(words) < 2:
        raise BadMessage(f"{first[:40]!r} is no first line")
    return words, headers


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MOST_BODY:
        raise BadMessage(f"content-length {length[:20]!r}")
    try:
        return await reader.readexactly(int(length))
    except asyncio.IncompleteReadError as error:
        raise BadMessage("the connection ended within a message") from error


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request on a connection; None at its end. Raises BadMessage."""
    head = await _head(reader)
    if head is None:
        return None
    (method, path, *_), headers = head
    return Request(method, path, headers, await _body(reader, headers))


async def start_server(host: str, port: int, handle: Handle) -> asyncio.Server:
    """Serves until closed. A request whose client has gone is answered to the end all the same, as most servers do."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError), contextlib.closing(writer):
            while (request := await read_request(reader)) is not None:
                response = await handle(request)
                await _write(writer, response)
                if response.stream is not None:
                    break

    return await asyncio.start_server(serve, host, port)


async def _write(writer: asyncio.StreamWriter, response: Response) -> None:
    ending = "Connection: close" if response.stream else f"Content-Length: {len(response.body)}"
    head = f"HTTP/1.1 {response.status} {REASONS[response.status]}\r\nContent-Type: {response.kind}\r\n{ending}\r\n\r\n"
    writer.write(head.encode() + response.body)
    await writer.drain()
    if response.stream is not None:
        async for piece in response.stream:
            writer.write(piece)
            await writer.drain()


def as_json(status: int, value: Any) -> Response:
    return Response(status, json.dumps(value).encode())


class Connection:
    """A client's connection, kept open. port, inode: which socket it is, so that one can tell whether it is still the same."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.port: int = writer.get_extra_info("sockname")[1]
        self.inode: int = os.fstat(writer.get_extra_info("socket").fileno()).st_ino
        self.requests = 0

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        return cls(*await asyncio.open_connection(host, port))

    @property
    def usable(self) -> bool:
        return not self._writer.is_closing() and not self._reader.at_eof()

    async def request(self, request: Request) -> Response:
        """One request and its answer. Raises ConnectionError; a caller that gives up on the way must `abort`."""
        await self._send(request)
        words, headers = await self._answer_head()
        body = await _body(self._reader, headers)
        self.requests += 1
        return Response(int(words[1]), body, headers.get("content-type", ""))

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """The lines of an answer that goes on until one side ends it."""
        await self._send(Request("GET", path))
        await self._answer_head()
        while line := await self._reader.readline():
            yield line

    async def _send(self, request: Request) -> None:
        lines = [f"{request.method} {request.path} HTTP/1.1", "Host: shop.example"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        lines += [f"Content-Length: {len(request.body)}"] if request.body else []
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + request.body)
        await self._writer.drain()

    async def _answer_head(self) -> tuple[list[str], dict[str, str]]:
        head = await _head(self._reader)
        if head is None:
            raise BadMessage("the server closed the connection")
        if not head[0][1].isdecimal():
            raise BadMessage("the answer has no status")
        return head

    def abort(self) -> None:
        """Hangs up, at once."""
        self._writer.transport.abort()
