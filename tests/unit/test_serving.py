from __future__ import annotations

import asyncio
import os
import signal
import socket
from typing import Any

import httpx

from netweather.serving import Server, at_end
from tests.support.rig import until


async def slow(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An application whose answer comes a moment later."""
    await asyncio.sleep(0.2)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def test_two_servers_end_at_one_signal_and_answer_what_was_asked() -> None:
    async def whole() -> list[str]:
        servers = [Server(slow, 5), Server(slow, 5)]

        def stop() -> None:
            for server in servers:
                server.should_exit = True

        at_end(stop)
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in servers]
        async with asyncio.TaskGroup() as group, httpx.AsyncClient() as client:
            for server, listening in zip(servers, sockets, strict=True):
                group.create_task(server.serve([listening]))
            asked = [
                group.create_task(client.get(f"http://127.0.0.1:{each.getsockname()[1]}/{number}"))
                for number, each in enumerate(sockets)
            ]
            await asyncio.to_thread(until, lambda: all(each.server_state.tasks for each in servers), 20, "both are asked")
            os.kill(os.getpid(), signal.SIGTERM)
            return [(await each).text for each in asked]

    assert asyncio.run(whole()) == ["/0", "/1"]
