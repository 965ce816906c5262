"""HTTP/1.1 on one connection: uvicorn's, which here also knows who is at the other end, and waits for nobody for ever."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from netweather.agent.api.problem_responses import MEDIA_TYPE
from netweather.errors import UsageError
from netweather.host.service_sockets import of_peer

PATIENCE_S: Final = 10.0
"""For the head of a request to arrive; a body has a limit of its own (limits)."""
MOST_CONNECTIONS: Final = 5000


class AgentProtocol(H11Protocol):
    """The peer's credentials are in the request's state as `peer`; None of TCP's."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self.app_state = {**self.app_state, "peer": of_peer(transport.get_extra_info("socket"))}
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._timer is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._timer = self.loop.call_later(PATIENCE_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets a problem, too."""
        problem = UsageError("bad-request", "that is not HTTP/1.1", "", "the paths are in /openapi.json").as_problem()
        body = json.dumps({**problem, "status": 400}).encode()
        headers: Any = [("content-type", MEDIA_TYPE), ("content-length", str(len(body))), ("connection", "close")]
        try:
            for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:  # an answer is under way already
            pass
        self.transport.close()
