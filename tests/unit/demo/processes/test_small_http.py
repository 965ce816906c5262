from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from netweather.demo.processes.small_http import BadMessage, Connection, Request, Response, as_json, read_request, start_server

HOST = "127.0.0.1"


async def answer(request: Request) -> Response:
    if request.path == "/stream":
        return Response(200, kind="text/event-stream", stream=three())
    return as_json(201, {"method": request.method, "body": request.body.decode(), "key": request.headers.get("x-key")})


async def three() -> AsyncIterator[bytes]:
    for number in range(3):
        yield b"%d\n" % number


def with_server(work: Callable[[int], Awaitable[None]]) -> None:
    async def run() -> None:
        async with await start_server(HOST, 0, answer) as server:
            await work(server.sockets[0].getsockname()[1])
            await asyncio.sleep(0.01)  # for both ends to see the end

    asyncio.run(run())


def test_many_requests_on_one_connection() -> None:
    async def work(port: int) -> None:
        connection = await Connection.open(HOST, port)
        socket = connection.port, connection.inode
        for word in ("one", "two"):
            response = await connection.request(Request("POST", "/", {"X-Key": "k"}, word.encode()))
            assert (response.status, response.kind) == (201, "application/json")
            assert response.body == b'{"method": "POST", "body": "%s", "key": "k"}' % word.encode()
        assert connection.usable
        assert connection.requests == 2
        assert (connection.port, connection.inode) == socket
        connection.abort()
        assert not connection.usable

    with_server(work)


def test_a_stream_ends_with_its_connection() -> None:
    async def work(port: int) -> None:
        connection = await Connection.open(HOST, port)
        assert [line async for line in connection.stream("/stream")] == [b"0\n", b"1\n", b"2\n"]
        connection.abort()

    with_server(work)


def test_a_server_that_hangs_up_is_a_connection_error() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(hang_up, HOST, 0) as server:
            connection = await Connection.open(HOST, server.sockets[0].getsockname()[1])
            with pytest.raises(ConnectionError):
                await connection.request(Request("GET", "/"))
            connection.abort()

    asyncio.run(run())


def read(data: bytes) -> Request | None:
    async def run() -> Request | None:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await read_request(reader)

    return asyncio.run(run())


def test_a_connection_that_ends_between_requests_is_no_error() -> None:
    assert read(b"") is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost",
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(data: bytes) -> None:
    with pytest.raises(BadMessage):
        read(data)
