"""The plugin as a process: its socket where Scope's probe looks for it, its signals, its end; and the two paths that the probe requests.

Not here: what a report says (probe_report), and what a button does (steering).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from netweather.conditions import Profile
from netweather.errors import NetweatherError, UsageError
from netweather.host import service_sockets
from netweather.scope.buttons import BESIDE_DOCKERS, Button, controls, name_of, panel
from netweather.scope.picture import Painter, Picture
from netweather.scope.probe_report import Reporter, ReportRequest
from netweather.scope.steering import Steering, one_line
from netweather.service import Service
from netweather.serving import Server, at_end, log_to_stderr
from netweather.settings import Settings
from netweather.targets.census import Census, Container
from netweather.units import Duration

LOG: Final = logging.getLogger("netweather.scope")
ROOT: Final = Path("/var/run/scope/plugins")
"""Where the probe looks, unless --probe.plugins.root says otherwise."""
ID: Final = "traffic-control"
_GOOD_ID: Final = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_GRACE_S: Final = 1
SILENCE_S: Final = 30.0
"""A probe requests a report each second."""


@dataclass(frozen=True)
class PluginSettings:
    """What `netweather scope-plugin` was told. profiles: those that have controls, by name; steps: those that `next-profile` sets.

    panel: the names of the controls that the page shows. before_1_13: for a Scope before 1.13.
    """

    lease: Duration
    profiles: Mapping[str, Profile]
    root: Path = ROOT
    id: str = ID
    steps: tuple[str, ...] = ()
    panel: tuple[str, ...] = ()
    before_1_13: bool = False

    def __post_init__(self) -> None:
        if not _GOOD_ID.fullmatch(self.id):
            why = "the probe takes letters and digits, with single hyphens between them"
            raise UsageError("bad-plugin-id", f"{self.id!r} is not a valid id of a plugin", why, f"write {ID}")
        if not self.lease.ns:
            raise UsageError("bad-lease", "the lease must be greater than 0", "", "write 10m")

    @property
    def socket(self) -> Path:
        return self.root / self.id / f"{self.id}.sock"


def run(settings: Settings, service: Service, wanted: PluginSettings) -> None:
    """Serves until SIGTERM or SIGINT. What it set stays until its lease is over.

    Raises NetweatherError plugin-running, cannot-listen.
    """
    log_to_stderr()
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    running = NetweatherError(
        "plugin-running",
        f"a plugin {wanted.id!r} runs already",
        f"it listens on {wanted.socket}",
        "stop it first, or name another --id",
    )
    buttons = controls(wanted.profiles.values(), wanted.steps)
    shown = panel(buttons, wanted.panel)
    if wanted.panel and shown[BESIDE_DOCKERS:]:
        LOG.warning(
            "Scope's panel has room for %d controls beside Docker's: it does not show %s",
            BESIDE_DOCKERS,
            ", ".join(map(name_of, shown[BESIDE_DOCKERS:])),
        )
    painter = Painter(service, Census())
    steering = Steering(service, painter, buttons, wanted.lease, settings.owner)
    plugin = Plugin(steering, Reporter(wanted.id, buttons, steering.notes, shown, wanted.before_1_13))
    with service_sockets.only_one(settings.state / f"scope-{wanted.id}.lock", running):
        painter.look()  # the first report is whole
        with service_sockets.unix_in_own_folder(wanted.socket) as socket, _painting(painter):
            asyncio.run(_serve(plugin, socket, wanted.root))
    plugin.pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _painting(painter: Painter) -> Iterator[None]:
    thread = threading.Thread(target=painter.run, name="picture", daemon=True)
    thread.start()
    try:
        yield
    finally:
        painter.close()


async def _serve(plugin: Plugin, socket: Any, root: Path) -> None:
    server = Server(make_app(plugin), _GRACE_S)

    def stop() -> None:
        server.should_exit = True

    at_end(stop)
    steering = plugin.steering
    LOG.info("ready: %d containers, %d controls", len(steering.painter.picture.containers), len(steering.controls))
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(warn_of_silence(plugin, root))
        await server.serve([socket])
        watching.cancel()


async def warn_of_silence(plugin: Plugin, root: Path, silence_s: float = SILENCE_S) -> None:
    """Logs a warning when no report was requested for so long: once, until one is requested. Runs until it is cancelled."""
    warned_of = 0.0
    while True:
        rest = plugin.asked_at + silence_s - time.monotonic()
        if rest <= 0 and warned_of != plugin.asked_at:
            warned_of = plugin.asked_at
            LOG.warning(
                "No Scope probe requested a report for %.0f s. A probe looks for plugins only if %s existed when it started: "
                "restart the probe; its option --probe.plugins.root must name this folder",
                silence_s,
                root,
            )  # fmt: skip
        await asyncio.sleep(max(rest, min(silence_s, 1.0)))


# the paths: GET /report, POST /control

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
        made = self.reporter.report(picture, ReportRequest(probe, datetime.now(UTC)))
        self._last = (now, probe, picture, made)
        return made

    async def press(self, container: Container, control: Button) -> str:
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
        found: dict[str, Any] = json.loads(self.reporter.report(picture, ReportRequest(probe, datetime.now(UTC)), changed))
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
