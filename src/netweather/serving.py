"""A uvicorn among others in a loop, which has the signals itself: what the agent and Scope's plugin share. Not here: sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn


class Server(uvicorn.Server):
    """app: an ASGI application. grace_s: seconds that requests have to end in when it stops. more: of uvicorn's settings."""

    def __init__(self, app: Any, grace_s: int, **more: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=grace_s,
                **more,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: the loop has them (`at_end`), and uvicorn would take them from whoever else serves in it."""
        yield


def at_end(stop: Callable[[], object]) -> None:
    """Calls `stop` in the running loop at SIGTERM and SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def log_to_stderr() -> None:
    """As a service's log is expected: a line each, of information and worse."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line for each request that we make
