"""The plugin as a process: its socket where Scope's probe looks for it, its signals, its end. Not here: what is answered (app)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from netweather.conditions import Profile
from netweather.errors import NetweatherError, UsageError
from netweather.host import service_sockets
from netweather.scope.buttons import BESIDE_DOCKERS, controls, name_of, panel
from netweather.scope.picture import Painter
from netweather.scope.plugin_paths import Plugin, make_app
from netweather.scope.probe_report import Reporter
from netweather.scope.steering import Steering
from netweather.service import Service
from netweather.serving import Server, at_end, log_to_stderr
from netweather.settings import Settings
from netweather.targets.census import Census
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
class Wanted:
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


def run(settings: Settings, service: Service, wanted: Wanted) -> None:
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
