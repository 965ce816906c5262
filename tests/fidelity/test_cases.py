"""Every case of cases.yaml, for each engine: the condition is set, traffic is sent, and each expectation is checked.

A case that looks at time has the machine alone. A measurement during which the machine itself stood still (see watch) says
nothing, so it is made anew, and a case of time whose every measurement was such is skipped; any other figure outside its interval
fails. A planted error must be refused at once.
In emulated guests time may be off ten times as far, and senders are ten times as slow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from netweather.errors import NetweatherError
from netweather.kernel.features import features
from tests.fidelity.cases import Case, all_cases, write_files
from tests.fidelity.kinds import KINDS
from tests.fidelity.traffic import Seen, send
from tests.fidelity.watch import Watch
from tests.support.machine import EMULATED
from tests.support.netns import lab
from tests.support.rig import Rig
from tests.support.statistics import Refused, expect

ENGINES: tuple[Literal["pump", "netem"], ...] = ("pump", "netem")
CLOCKS = 10 if EMULATED else 1
"""How far off time may be, and how slow senders are. On a real machine that is busy or slow it is no more: a planted error must be seen."""
ATTEMPTS = 8
STALL = 0.02
"""Seconds that a thread may wait for its processor before a measurement is not believed."""
PARAMETERS = [
    pytest.param(
        engine, case, id=f"{case.name}-{engine}", marks=[pytest.mark.serial] * case.serial + [pytest.mark.full] * case.full
    )
    for engine in ENGINES
    for case in all_cases()
]
pytestmark = [pytest.mark.root, pytest.mark.timeout(60)]


class Bench:
    """A rig that all cases of a worker share: each changes what is set while it is set."""

    def __init__(self, rig: Rig, files: Path) -> None:
        self.rig, self.files = rig, files

    def set(self, case: Case, engine: Literal["pump", "netem"], changes: Mapping[str, Any] | None = None) -> None:
        """Skips the test when the engine says that it can't do this; the pump must."""
        try:
            seeded = engine == "pump" or features.there("netem-seed")
            self.rig.set(case.rule(self.files, changes, seeded=seeded), engine=engine)
        except NetweatherError as error:
            if error.code != "engine-cannot" or engine == "pump":
                raise
            pytest.skip(f"{engine}: {error.why}")

    def look(self, case: Case, way: str) -> Seen:
        ends = (self.rig.net.client, self.rig.net.server)
        return send(case.traffic, *(ends if way == "egress" else ends[::-1]), case.family, CLOCKS)

    def look_again(self, case: Case, engine: Literal["pump", "netem"], way: str) -> Sequence[Seen]:
        """The case and each of `again`: another seed, and back, begins the random sequences anew."""
        found = []
        for changes in ({}, *case.again):
            self.set(case, engine, {**changes, "seed": 0})
            self.set(case, engine, changes)
            found.append(self.look(case, way))
        return found


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    files = tmp_path_factory.mktemp("files")
    write_files(files)
    with lab() as net:
        for one, other in ((net.client, net.server), (net.server, net.client)):  # or a stream waits for its first neighbour
            hardware = other.run("cat", "/sys/class/net/eth0/address").stdout.strip()
            for address in (other.v4, other.v6):
                one.run("ip", "neigh", "replace", str(address), "lladdr", hardware, "dev", "eth0", "nud", "permanent")
        rig = Rig(net, tmp_path_factory.mktemp("state"))
        try:
            yield Bench(rig, files)
        finally:
            rig.close()


@pytest.mark.parametrize(("engine", "case"), PARAMETERS)
def test_case(bench: Bench, engine: Literal["pump", "netem"], case: Case) -> None:
    if case.refused:
        with pytest.raises(Refused):
            run(bench, engine, case)
        return
    for number in range(ATTEMPTS):
        with Watch() as watch:
            try:
                run(bench, engine, case)
                return
            except Refused:
                bench.rig.clear()  # with its counters, so that the next one begins anew
                if watch.stall < STALL or (number == ATTEMPTS - 1 and (EMULATED or not case.serial)):
                    raise
    pytest.skip(f"can't tell: the machine stood still during each of {ATTEMPTS} measurements")


def run(bench: Bench, engine: Literal["pump", "netem"], case: Case) -> None:
    if "codel" in case.expect:  # it remembers what it did a moment ago
        bench.rig.clear()
    bench.set(case, engine)
    for way in case.ways:
        if case.again:
            KINDS["again"].check(bench.look_again(case, engine, way), case.expect["again"], CLOCKS)
            continue
        seen = bench.look(case, way)
        for name, asked in case.expect.items():
            KINDS[name].check(seen, asked, CLOCKS)
    drops = bench.rig.shown().unwanted_drops
    expect(drops == 0, f"our own devices dropped {drops} packets")
