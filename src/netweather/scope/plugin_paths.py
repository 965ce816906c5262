"""The plugin's two paths, as Scope's probe asks for them: GET /report, POST /control. Not here: what they do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from netweather.errors import NetweatherError
from netweather.scope.buttons import Control
from netweather.scope.picture import Picture
from netweather.scope.probe_report import Asked, Reporter
from netweather.scope.steering import Steering, one_line
from netweather.targets.census import Container

LOG: Final = logging.getLogger("netweather.scope")
PATIENCE_S: Final = 0.35
"""Before a click is answered that is not done yet: the probe gives up at 0.5 s, which include its own decoding."""
HELD_S: Final = 0.1
"""How long a report is held back. The probe asks the Docker reporter at the same time, and takes the controls of the later answer."""
STATES_S: Final = 0.1
"""How long the engines have then to say which containers run. Later, the last look's states count."""
FRESH_S: Final = 0.25
"""For so long a report may be given to several who ask."""
MOST_BYTES: Final = 1 << 16
THREADS: Final = 16


@dataclass
class Plugin:
    """What the paths need. Answers are made in the event loop; buttons are carried out in threads."""

    steering: Steering
    reporter: Reporter
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, thread_name_prefix="control"))

    def __post_init__(self) -> None:
        self._last: tuple[float, str, Picture, bytes] | None = None
        self._looking: asyncio.Future[None] | None = None
        self.asked_at = time.monotonic()
        """When a report was last requested; at first, when the plugin started."""

    async def current(self) -> None:
        """Returns when a report can be made: after HELD_S, and with the containers' states of this moment."""
        await asyncio.sleep(HELD_S)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().run_in_executor(None, self.steering.painter.look_at_states)
            self._looking.add_done_callback(_look)
        with contextlib.suppress(TimeoutError, OSError):
            await asyncio.wait_for(asyncio.shield(self._looking), STATES_S)

    def report(self, probe: str) -> bytes:
        """The report for this probe."""
        now, picture = time.monotonic(), self.steering.painter.picture
        if self._last and self._last[1] == probe and self._last[2] is picture and now - self._last[0] < FRESH_S:
            return self._last[3]
        made = self.reporter.report(picture, Asked(probe, datetime.now(UTC)))
        self._last = (now, probe, picture, made)
        return made

    async def press(self, container: Container, control: Control) -> str:
        """Presses a button. Returns what went wrong, or "": also when it is not known yet, and then the container's table tells."""
        self._last = None
        doing = asyncio.get_running_loop().run_in_executor(
            self.pool, self.steering.press, self.steering.asked(container, control)
        )
        doing.add_done_callback(_look)
        try:
            await asyncio.wait_for(asyncio.shield(doing), PATIENCE_S)
        except TimeoutError:
            LOG.info("%s: %s takes its time", container.name, control.human)
        except (NetweatherError, OSError) as error:
            return one_line(error)
        finally:
            self._last = None
        return ""

    def shortcut(self, probe: str, container: Container) -> dict[str, Any]:
        """The report of the containers that a button changed."""
        picture = self.steering.painter.picture
        changed = [each for each in picture.containers if each.id == container.id or each.identity == container.identity]
        found: dict[str, Any] = json.loads(self.reporter.report(picture, Asked(probe, datetime.now(UTC)), changed))
        return found


def _look(done: asyncio.Future[None]) -> None:
    """What nobody waits for any more is told by the table; nothing is said of it twice."""
    if not done.cancelled():
        done.exception()


def make_app(plugin: Plugin) -> Starlette:
    """The application of one plugin."""

    async def report(request: Request) -> Response:
        plugin.asked_at = time.monotonic()
        await plugin.current()
        picture = plugin.steering.painter.picture
        if picture.problem and not picture.containers:
            return PlainTextResponse(picture.problem, 500)
        return Response(plugin.report(request.query_params.get("probe_id", "")), media_type="application/json")

    async def control(request: Request) -> Response:
        try:
            node, wanted = _wanted(await _body(request))
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        try:
            container, button = plugin.steering.container(node), plugin.steering.control(wanted)
        except NetweatherError as error:
            return JSONResponse({"error": one_line(error)})
        if wrong := await plugin.press(container, button):
            return JSONResponse({"error": wrong})
        return JSONResponse({"shortcutReport": plugin.shortcut(request.query_params.get("probe_id", ""), container)})

    return Starlette(routes=[Route("/report", report), Route("/control", control, methods=["POST"])])


async def _body(request: Request) -> bytes:
    """Raises ValueError for one that is too large."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise ValueError("the body is too large")
    return bytes(body)


def _wanted(body: bytes) -> tuple[str, str]:
    """The node and the control that a request names; whatever else stands there is looked over. Raises ValueError."""
    try:
        found = json.loads(body)
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("the body is not a JSON object")
    folded = {str(key).lower(): value for key, value in found.items()}
    node, control = folded.get("nodeid", ""), folded.get("control", "")
    if not isinstance(node, str) or not isinstance(control, str):
        raise ValueError("NodeID and Control must be texts")
    return node, control
