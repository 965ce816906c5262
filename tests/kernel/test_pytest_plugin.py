"""The pytest plugin on real traffic: runs of pytest in processes of their own, whose tests degrade a lab's network."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.kernel.agent.conftest import RealAgent
from tests.support.machine import SLOW
from tests.support.rig import Rig, until

pytestmark = pytest.mark.timeout(240)
PATIENCE_S = 200

HEAD = """
import subprocess, time
import pytest
TARGET, SERVER, OTHER = {target!r}, "192.0.2.2", {other!r}

def rtt(count=6):
    inside = ["ip", "netns", "exec", TARGET.removeprefix("netns:")]
    said = subprocess.run([*inside, "ping", "-c", str(count), "-i", "0.02", "-W", "2", SERVER], capture_output=True, text=True)
    times = [float(line.split("time=")[1].split()[0]) for line in said.stdout.splitlines() if "time=" in line]
    return min(times) if times else None
def below(most, least=0):  # a busy machine makes trips late, and not all of them
    for _ in range(50):
        value = rtt()
        assert value >= least
        if value < most:
            return
    raise AssertionError("never below what it should be")
"""


class Runs:
    """Runs pytest on a file of tests, and looks at what is left."""

    def __init__(self, rig: Rig, folder: Path) -> None:
        self.rig, self.folder = rig, folder
        self.before: list[str] = []
        self.environment = {**os.environ, "NETWEATHER_STATE": str(rig.state), "PYTEST_ADDOPTS": ""}
        folder.joinpath("pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\nmarkers =\n    slow\n")

    def write(self, text: str) -> None:
        head = HEAD.format(target=self.rig.target.reference, other=f"netns:{self.rig.net.server.name}")
        self.folder.joinpath("test_it.py").write_text(head + textwrap.dedent(text))

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [
            *self.before,
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:schemathesis",  # slow to import
            "--rootdir",
            str(self.folder),
            *words,
            "test_it.py",
        ]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, text: str, *words: str) -> tuple[dict[str, int], str]:
        """The outcomes, and what was printed."""
        self.write(text)
        running = self.start(*words)
        try:
            said, _ = running.communicate(timeout=PATIENCE_S)
        finally:
            running.kill()
        last = said.strip().splitlines()[-1]
        return {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?|skipped)", last)}, said


@pytest.fixture
def runs(rig: Rig, tmp_path: Path) -> Iterator[Runs]:
    folder = tmp_path / "project"
    folder.mkdir()
    yield Runs(rig, folder)
    rig.until_nothing_remains()


@pytest.fixture
def agent(rig: Rig) -> Iterator[RealAgent]:
    """An agent of the rig's state directory: the plugin finds it there."""
    made = RealAgent(rig.state)
    made.start()
    yield made
    until(lambda: made.folders() == [], 20, "the agent has cleared it all")
    assert made.stop() == 0
    made.settings.socket.with_name("agent.sock.lock").unlink()  # it stays, on purpose


FULL = pytest.mark.full
BY_DIRECT = pytest.mark.parametrize("via", ["direct", pytest.param("agent", marks=FULL)], indirect=True)
BY_AGENT = pytest.mark.parametrize("via", [pytest.param("direct", marks=FULL), "agent"], indirect=True)
"""Both ways, one of them in `make test`."""


@pytest.fixture(params=["direct", "agent"])
def via(request: pytest.FixtureRequest) -> str:
    """The same test in the run's own processes, and through an agent."""
    if request.param == "agent":
        request.getfixturevalue("agent")
    return str(request.param)


def test_a_mark_and_the_fixture_degrade_change_pause_and_give_back(runs: Runs, via: str) -> None:
    outcomes, said = runs.run(
        """
        def test_before():
            below(20)

        @pytest.mark.network(target=TARGET, to=SERVER, delay="40ms", direction="egress")
        def test_by_mark():
            assert rtt(2) >= 40

        def test_by_fixture(network):
            with network.degrade(TARGET, to=SERVER, delay="40ms", direction="egress") as bad:
                below(80, 40)
                bad.change(delay="90ms")
                assert rtt() >= 90
                with bad.pause():
                    below(20)
                assert rtt() >= 90
                assert bad.packets >= 6
            below(20)

        def test_partition(network):
            with network.partition(TARGET, OTHER):
                assert rtt(1) is None
            below(20)

        @pytest.mark.network(target="{where}", delay="40ms", direction="egress")
        def test_a_target_from_a_fixture(where):
            assert rtt() >= 40

        @pytest.fixture
        def where():
            return TARGET

        def test_afterwards():
            below(20)
        """,
        "--junit-xml=report.xml",
    )
    assert outcomes == {"passed": 6}, said
    assert "= networks =" in said
    cases = ElementTree.parse(runs.folder / "report.xml").iter("testcase")
    (found,) = [p.get("value") for c in cases if c.get("name") == "test_by_mark" for p in c.iter("property")]
    evidence = json.loads(found or "")
    assert evidence["inForce"] is True
    assert evidence["packets"] == 2
    assert evidence["condition"] == "delay 40ms to 192.0.2.2 direction egress"


def test_without_any_privilege_through_an_agent(runs: Runs, agent: RealAgent) -> None:
    """The run is inside the target, with no capability at all: it could not even look into another's network."""
    runs.before = [
        *("ip", "netns", "exec", runs.rig.net.client.name),
        *("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"),
    ]
    ip = ["ip", "netns", "exec", runs.rig.net.client.name, "sysctl", "-qw", "net.ipv4.ping_group_range=0 0"]
    subprocess.run(ip, check=True)
    text = """
        import socket

        def ping():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as asking:
                asking.settimeout(60)
                begin = time.monotonic()
                asking.sendto(bytes([8, 0, 0, 0, 0, 0, 0, 1]), (SERVER, 0))
                asking.recv(100)
                return (time.monotonic() - begin) * 1000

        def test_nothing_may_be_done_here():
            assert "CapEff:\\t0000000000000000" in open("/proc/self/status").read()
            assert ping() < 20

        @pytest.mark.network(target=TARGET, delay="40ms", direction="egress")
        def test_by_mark():
            assert ping() >= 40
    """
    outcomes, said = runs.run(text)
    assert outcomes == {"passed": 2}, said
    outcomes, said = runs.run(text, "--network-direct")
    assert outcomes == {"passed": 1, "error": 1}, said


def test_async_tests(runs: Runs) -> None:
    outcomes, said = runs.run(
        """
        import asyncio

        def test_async(network):
            async def story():
                async with network.degrade(TARGET, delay="40ms", direction="egress"):
                    return await asyncio.to_thread(rtt)
            assert asyncio.run(story()) >= 40
        """
    )
    assert outcomes == {"passed": 1}, said


@BY_DIRECT
def test_a_network_that_was_not_as_declared_is_an_error(runs: Runs, via: str) -> None:
    outcomes, said = runs.run(
        """
        from netweather.engine import Engine
        from netweather.targets import resolve

        @pytest.mark.network(target=TARGET, to="198.51.100.1", delay="40ms")
        def test_nothing_met_it():
            rtt()

        @pytest.mark.network(target=TARGET, to="198.51.100.1", delay="40ms", allow_unmatched=True)
        def test_nothing_need_meet_it():
            rtt()

        def test_somebody_cleared_it(network):
            with network.degrade(TARGET, delay="10ms"):
                rtt()
                (target,) = resolve(TARGET)
                with target:
                    Engine().clear(target)

        def test_somebody_deleted_the_device(network):
            with network.degrade(TARGET, delay="10ms"):
                rtt()
                subprocess.run(["ip", "-n", TARGET.removeprefix("netns:"), "link", "del", "nw0"], check=True)
                time.sleep(1.5)
        """
    )
    assert outcomes == {"passed": 1, "errors": 3}, said
    for words in ("no packet matched it", "it was cleared", "the network was not as the test declared it"):
        assert words in said


def test_a_failure_a_timeout_and_bad_words_leave_nothing(runs: Runs) -> None:
    outcomes, said = runs.run(
        """
        @pytest.mark.network(target=TARGET, delay="40ms")
        def test_fails():
            rtt()
            assert False, "its own failure"

        @pytest.mark.timeout(2)
        @pytest.mark.network(target=TARGET, delay="40ms")
        def test_takes_too_long():
            rtt()
            time.sleep(30)

        @pytest.mark.network(target=TARGET, dealy="40ms")
        def test_misspelt():
            pass

        def test_nothing_wrong(network):
            network.degrade(TARGET, to=SERVER)

        @pytest.mark.network(target="netns:nowhere", delay="1ms")
        def test_no_such_target():
            pass

        def test_afterwards():
            below(20)
        """
    )
    assert outcomes == {"passed": 1, "failed": 2, "errors": 3}, said
    assert "its own failure" in said
    assert "did you mean 'delay'?" in said
    assert "no-condition" in said


def test_skipped_on_request(runs: Runs) -> None:
    outcomes, _ = runs.run(
        """
        @pytest.mark.network(target=TARGET, delay="40ms")
        def test_marked(): ...
        def test_fixture(network): ...
        def test_other(): ...
        """,
        "--skip-network",
    )
    assert outcomes == {"passed": 1, "skipped": 2}


LONG = """
    @pytest.mark.network(delay="40ms")
    def test_long():
        rtt()
        open("running", "w").close()
        time.sleep(60)

    def test_never(): ...
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_interrupted_or_killed_ends_by_itself(runs: Runs, via: str, number: signal.Signals) -> None:
    runs.write(LONG)
    running = runs.start("--network-target", runs.rig.target.reference, "--network-lease", "2s", "-x")
    until(lambda: (runs.folder / "running").exists(), 30, "the test runs")
    assert runs.rig.shown().in_force
    running.send_signal(number)
    running.communicate(timeout=20 * SLOW)
    until(lambda: runs.rig.engine.show(runs.rig.target) == [], 10, "the lease is over")
    until(lambda: not list((runs.rig.state / "targets").glob("*")), 20, "all of it is gone")


def test_a_condition_outlives_its_lease_while_the_test_runs(runs: Runs) -> None:
    outcomes, said = runs.run(
        """
        @pytest.mark.network(target=TARGET, delay="40ms", direction="egress")
        def test_longer_than_its_lease():
            for _ in range(14):
                assert rtt() >= 40
                time.sleep(0.5)
        """,
        "--network-lease=5s",
    )
    assert outcomes == {"passed": 1}, said


@BY_AGENT
def test_two_workers_take_turns(runs: Runs, via: str) -> None:
    outcomes, said = runs.run(
        """
        @pytest.mark.parametrize("ms", [30, 60, 90, 120])
        def test_it(network, ms):
            with network.degrade(TARGET, delay=f"{ms}ms", direction="egress"):
                below(ms + 25, ms)
        """,
        "-n2",
    )
    assert outcomes == {"passed": 4}, said


@BY_DIRECT
def test_measured(runs: Runs, via: str) -> None:
    outcomes, said = runs.run(
        """
        @pytest.mark.network(target=TARGET, to=SERVER, delay="40ms", verify="measure")
        def test_it():
            assert rtt() >= 80
        """
    )
    # A machine that stands still for a while delays more than requested: then the test may not pass.
    assert (outcomes, re.findall("measured: ([A-Z]+)", said)) in (({"passed": 1}, ["PASS"]), ({"error": 1}, ["FAIL"])), said


SUITE = """
    @pytest.mark.network(target=TARGET, to=SERVER)
    @pytest.mark.parametrize("patience", [50, 500])
    def test_patient(patience):
        assert rtt() < patience

    @pytest.mark.network(target=TARGET, delay="30ms", direction="egress")
    def test_with_a_network_of_its_own():
        assert rtt() >= 30

    def test_local(): ...
"""


def test_a_matrix_says_what_breaks_where(runs: Runs) -> None:
    outcomes, said = runs.run(
        SUITE, "--network-matrix=perfect,3g,transatlantic", "--network-report=out/report.html", "--network-report=report.md"
    )
    assert outcomes == {"passed": 6, "failed": 2}, said
    page = (runs.folder / "report.md").read_text()
    assert "| test | perfect | 3g | transatlantic |" in page
    assert re.search(r"\| `test_it.py::test_patient\[50\]` \| ✓ [^|]+ \| ✗ [^|]+ \| ✗ [^|]+ \|", page), page
    assert re.search(r"\| `test_it.py::test_patient\[500\]` \| ✓ [^|]+ \| ✓ [^|]+×\) \| ✓", page), page
    assert "test_local" not in page
    assert "profile 3g to 192.0.2.2" in (runs.folder / "out" / "report.html").read_text()


def test_thresholds_decide_whether_the_run_passes(runs: Runs) -> None:
    """Nobody promised 3g; and what passes there takes too long."""
    ini = runs.folder / "pytest.ini"
    plain = ini.read_text()
    ini.write_text(plain + "network_must_pass = perfect\nnetwork_matrix = perfect,3g\n")
    runs.write(SUITE)
    running = runs.start()
    said, _ = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 0, said
    ini.write_text(plain + "network_matrix = perfect,3g\nnetwork_max_slowdown = 1.5\n")
    running = runs.start("-k", "500")
    said, _ = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 1, said
    assert "at most 1.5 ×" in said


def test_bad_networks_of_a_matrix_are_told_at_once(runs: Runs) -> None:
    _, said = runs.run(SUITE, "--network-matrix=perfect,3gg")
    assert "3gg" in said
    assert "did you mean" in said


PAGE = Path(__file__).parents[2] / "docs" / "pytest.md"
SHOP = """
class Shop:
    def page(self):
        return "try again later" if rtt(1) is None else "home"

@pytest.fixture
def shop():
    return Shop()
"""


def test_the_example_of_the_page(runs: Runs) -> None:
    """Its containers are this test's namespaces."""
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    target, other = runs.rig.target.reference, f"netns:{runs.rig.net.server.name}"
    example = SHOP + example.replace('"docker:shop"', repr(target)).replace('"docker:db"', repr(other))
    outcomes, said = runs.run(example)
    assert outcomes == {"passed": 4}, said


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_two_hundred_tests_in_two_workers_finish_clean(runs: Runs, via: str) -> None:
    runs.write(
        """
        @pytest.mark.parametrize("number", range(200))
        def test_it(network, number):
            with network.degrade(OTHER if number % 2 else TARGET, loss="1%", allow_unmatched=True):
                pass
        """
    )
    said, _ = runs.start("-n2", "-q").communicate(timeout=1000 * SLOW)
    assert "200 passed" in said, said[-3000:]
