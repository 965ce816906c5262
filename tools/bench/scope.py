"""Weave Scope's plugin: the report of 500 containers, all with a condition, as the probe gets it, without the time it is held back."""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvicorn

from netweather.conditions import NetworkCondition, builtin_profiles
from netweather.errors import NetweatherError
from netweather.host import service_sockets
from netweather.kernel.sockets.netns_stats import Faring
from netweather.kernel.waiting import until
from netweather.results import ConditionStatus, Experienced, RuleCounters, TargetRef
from netweather.scope.buttons import NAME, ButtonState, controls, panel
from netweather.scope.picture import Painter
from netweather.scope.plugin_process import HELD_S, Plugin, make_app
from netweather.scope.probe_report import Reporter
from netweather.scope.steering import Steering
from netweather.service import Service
from netweather.targets.census import Container, ContainerState
from netweather.units import Duration
from tests.support.scope import Probe
from tools.bench.figures import Rows, at_most, row
from tools.bench.network import PREFIX
from tools.bench.rounds import Plan, interleaved

SECTION = "scope"
CONTAINERS = 500
ID = "traffic-control"
MINUTE = Duration(60 * 10**9)


@dataclass(frozen=True)
class Host:
    """So many containers, each with a condition of its own: what a census and a service would tell."""

    count: int

    def look(self) -> tuple[list[Container], list[NetweatherError]]:
        ids = [f"{number:064x}" for number in range(self.count)]
        return [Container(each, each[-6:], "docker", "running", f"docker:{each}", f"4-{int(each, 16)}") for each in ids], []

    def states(self) -> tuple[dict[str, ContainerState], bool]:
        return {each.id: each.state for each in self.look()[0]}, True

    def farings(self) -> dict[str, Faring]:
        return {f"4-{number}": Faring(3, 100_400.0, 3, 70_000 + time.monotonic_ns(), 5_000) for number in range(self.count)}

    def show(self, references: Sequence[str] = (), *, lived: bool = False) -> list[ConditionStatus]:
        rules = next(iter(controls([]).values())).change(ButtonState()).rules()
        return [
            ConditionStatus(
                TargetRef(f"docker:{number:064x}", "x", 4, number, None, None, "docker"),
                NetworkCondition(NAME, rules=rules), MINUTE.ns, True, (), ("eth0",), {}, (RuleCounters(7, 700, 1),), 0, "pump",
                lived=(Experienced(3, 2, 310.0, 100_400.0, 3, None, None, None),),
            )
            for number in range(self.count)
        ]  # fmt: skip


def run(plan: Plan) -> Rows:
    count = 50 if plan.quick else CONTAINERS
    with serving(Host(count)) as probe:
        bodies: list[bytes] = []

        def report() -> float:
            probe.id = f"probe-{time.monotonic_ns()}"  # a report of its own: none that was made for somebody else
            answer = probe.ask(ID, "GET", "/report")
            bodies.append(answer.body)
            return (answer.took - HELD_S) * 1000

        def encoded() -> float:
            plain = json.loads(bodies[-1])
            begin = time.perf_counter()
            json.dumps(plain)
            return (time.perf_counter() - begin) * 1000

        report()
        if len(probe.take(ID, bodies[-1]).nodes) != count:
            raise RuntimeError("the report lacks containers")
        found = interleaved(plan, "a report", {"report": report, "json": encoded}, plan.many(3))
    note = f"{len(bodies[-1]) / 1e6:.1f} MB"
    beside = ("json.dumps of the same", found["json"])
    yield row(SECTION, f"report of {count} containers", "ms", found["report"], beside, goal=at_most(100, "figure"), note=note)


@contextmanager
def serving(host: Host) -> Iterator[Probe]:
    """The plugin's app on a Unix socket, as the probe finds it."""
    buttons = controls(builtin_profiles().values())
    service = cast(Service, host)
    painter = Painter(service, host)
    painter.look()
    painter.look()  # with rates
    steering = Steering(service, painter, buttons, MINUTE)
    plugin = Plugin(steering, Reporter(ID, buttons, steering.notes, panel(buttons)))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        path = Path(folder) / ID / f"{ID}.sock"
        with service_sockets.unix_in_own_folder(path) as socket:
            server = uvicorn.Server(uvicorn.Config(make_app(plugin), lifespan="off", log_config=None, access_log=False))
            thread = threading.Thread(target=lambda: asyncio.run(server.serve([socket])))
            thread.start()
            try:
                if not until(lambda: server.started, 20):
                    raise RuntimeError("the plugin does not start")
                yield Probe(Path(folder), timeout_s=60)
            finally:
                server.should_exit = True
                thread.join()
                plugin.pool.shutdown()
