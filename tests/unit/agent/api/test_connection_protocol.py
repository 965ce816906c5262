"""Connections: who is at the other end, what is no HTTP, and clients that say nothing."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from typing import Any

import pytest
import uvicorn

from netweather.agent.api import connection_protocol
from netweather.host.service_sockets import Credentials
from netweather.serving import Server


async def answer(scope: Any, receive: Any, send: Any) -> None:
    peer: Credentials = scope["state"]["peer"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"20")]})
    await send({"type": "http.response.body", "body": f"{peer.pid} {peer.uid}".ljust(20).encode()})


async def talk(*sent: bytes) -> bytes:
    """What comes back on one connection, until the server closes it; what is sent last is followed by silence."""
    server = Server(answer, 5, http=connection_protocol.AgentProtocol, timeout_keep_alive=0.05).config
    server.load()
    state = uvicorn.server.ServerState()
    here, there = socket.socketpair()
    loop = asyncio.get_running_loop()
    await loop.connect_accepted_socket(lambda: connection_protocol.AgentProtocol(server, state, {}), there)
    reader, writer = await asyncio.open_connection(sock=here)
    for part in sent:
        writer.write(part)
    found = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return found


def test_the_peer_is_told() -> None:
    found = asyncio.run(talk(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
    assert found.endswith(f"{os.getpid()} {os.getuid()}".ljust(20).encode())


def test_what_is_no_http_is_a_problem() -> None:
    head, _, body = asyncio.run(talk(b"SSH-2.0-x\r\n\r\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["code"] == "bad-request"


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_silence_ends(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_protocol, "PATIENCE_S", 0.05)
    assert asyncio.run(talk(sent)) == b""


def test_silence_after_an_answer_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_protocol, "PATIENCE_S", 0.05)
    assert asyncio.run(talk(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT")).count(b"HTTP/1.1 200") == 1


def test_too_many_connections_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_protocol, "MOST_CONNECTIONS", 0)
    assert asyncio.run(talk()) == b""  # at once: patience would be 10 s
