"""A line of a known condition is recorded, and set again from the recording: its delays, losses and rate are the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from netweather.conditions.embedding import with_profile_files
from netweather.conditions.language.flags import network_condition_from_flags, rule_from_flags
from netweather.engine import verification
from netweather.engine.verification import VerifyOptions
from netweather.kernel.features import features
from netweather.kernel.tracing.link_recorder import Learnt, Recorder
from netweather.observation import profile_learning
from tests.support.machine import EMULATED, SLOW
from tests.support.repository import ROOT
from tests.support.rig import Rig, rig

PORT = 5000
PROGRAM = [sys.executable, "-c", "import sys; from netweather.cli import main; sys.exit(main())"]
SERVER = f"""
import socket, threading
server = socket.create_server(("192.0.2.2", {PORT}), backlog=1000)
print("ready", flush=True)
def serve(connection):
    with connection:
        connection.send(b"hello")
        while connection.recv(1 << 20): pass
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""
SHORT = f"""
import selectors, socket, sys, time
left, watched, opened = int(sys.argv[1]), selectors.DefaultSelector(), 0
while left or opened:
    while left and opened < 100:
        one = socket.socket(); one.setblocking(False); one.connect_ex(("192.0.2.2", {PORT}))
        watched.register(one, selectors.EVENT_READ); opened += 1; left -= 1
    for key, _ in watched.select(1):
        key.fileobj.recv(10); watched.unregister(key.fileobj); key.fileobj.close(); opened -= 1
"""
LONG = f"""
import socket, sys, threading, time
end = time.monotonic() + float(sys.argv[2])
def push():
    with socket.create_connection(("192.0.2.2", {PORT})) as one:
        while time.monotonic() < end: one.send(bytes(100_000))
threads = [threading.Thread(target=push) for _ in range(int(sys.argv[1]))]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
"""


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path / "state") as made:
        server = made.net.server.start(sys.executable, "-c", SERVER)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield made


@pytest.fixture(params=["pump", "netem"])
def engine(request: pytest.FixtureRequest) -> str:
    """Makes the line, and makes it again."""
    if request.param == "netem" and not features.there("netem"):
        pytest.skip("this kernel has no sch_netem (NET_SCH_NETEM)")
    return str(request.param)


def learn(line: Rig, program: str, *words: object) -> Learnt:
    with Recorder(line.net.client.path.stat().st_ino) as recorder:
        line.net.client.run(sys.executable, "-c", program, *map(str, words), timeout=50 * SLOW)
        return recorder.read()


def saved(found: profile_learning.LearntLine, folder: Path) -> Path:
    from netweather.cli.extras.record import _write

    _write(folder / "home.yaml", found, "recorded in a test")
    return folder / "home.yaml"


def set_again(line: Rig, file: Path, engine: str) -> None:
    (condition,) = [with_profile_files(network_condition_from_flags({"profile": str(file)}, ("netns:x",), "test"))]
    line.set(*condition.rules, engine=engine)
    assert line.shown().engine == engine


def delays(line: Rig) -> dict[str, Sequence[float]]:
    """One-way delays of both directions, as `verify` measures them."""
    wish = VerifyOptions(None, None, f"netns:{line.net.server.name}", 2000)
    (evidence,) = verification.verify(line.engine, line.target, wish, lambda share, text: None)
    return {way: series.delays for each in evidence.measured for way, series in each.series.items()}


def distance(some: Sequence[float], others: Sequence[float]) -> float:
    """Kolmogorov and Smirnov's."""
    places = sorted({*some, *others})
    some, others = sorted(some), sorted(others)
    most, i, j = 0.0, 0, 0
    for place in places:
        while i < len(some) and some[i] <= place:
            i += 1
        while j < len(others) and others[j] <= place:
            j += 1
        most = max(most, abs(i / len(some) - j / len(others)))
    return most


@pytest.mark.serial
def test_delays_are_those_of_the_line(line: Rig, tmp_path: Path, engine: str) -> None:
    delay, jitter = ("25ms", "6ms") if not EMULATED else ("100ms", "24ms")  # an emulated processor adds milliseconds of its own
    line.set(rule_from_flags({"delay": delay, "jitter": jitter, "distribution": "normal"}), engine=engine)
    before = delays(line)
    found = profile_learning.line(learn(line, SHORT, 3000))
    assert found.trips == 3000
    assert set(found.unknown) == {"loss", "rate"}
    assert found.source == "handshakes"
    set_again(line, saved(found, tmp_path), engine)
    after = delays(line)
    assert set(before) == set(after) == {"egress", "ingress"}
    assert all(distance(before[way], after[way]) < 0.1 for way in before), {w: distance(before[w], after[w]) for w in before}


@pytest.mark.serial
def test_the_rate_is_that_of_the_line(line: Rig, tmp_path: Path, engine: str) -> None:
    line.set(rule_from_flags({"rtt": "30ms", "rate": "20mbit"}), engine=engine)
    found = profile_learning.line(learn(line, LONG, 1, 4))
    assert found.rate is not None
    assert found.rate.bits_per_second == pytest.approx(20e6, rel=0.1)
    assert found.source == "busy"
    assert found.delay is not None
    assert found.delay.time.seconds == pytest.approx(0.015, abs=0.01)  # without the queue that the flow made
    set_again(line, saved(found, tmp_path), engine)
    again = profile_learning.line(learn(line, LONG, 1, 4))
    assert again.rate is not None
    assert again.rate.bits_per_second == pytest.approx(20e6, rel=0.1)


@pytest.mark.parametrize(
    ("words", "share", "run"), [("random:5%", 0.05, 1.1), ("burst:mean=4,share=4%", 0.04, 4)], ids=["random", "burst"]
)
def test_losses_are_those_of_the_line(line: Rig, tmp_path: Path, engine: str, words: str, share: float, run: float) -> None:
    seed = {"seed": "7"} if engine == "pump" or features.there("netem-seed") else {}
    line.set(rule_from_flags({"delay": "1ms", "loss-model": words, **seed}), engine=engine)
    found = profile_learning.line(learn(line, LONG, 8, 1.5 * SLOW))
    assert found.loss == pytest.approx(share, rel=0.2)
    assert is_run(found, run, engine, 0.2)
    set_again(line, saved(found, tmp_path), engine)
    again = profile_learning.line(learn(line, LONG, 8, 1.5 * SLOW))
    assert again.loss == pytest.approx(share, rel=0.2)
    assert is_run(again, run, engine, 0.25)


def is_run(found: profile_learning.LearntLine, run: float, engine: str, share: float) -> bool:
    """netem's line has single packets, those of eight connections among each other: what it loses in a row hits several of them."""
    if engine == "netem":
        return found.run is not None and 1 < found.run < 1.2 * run
    return found.run == pytest.approx(run, rel=share)


def test_connections_over_other_interfaces_are_left_out(line: Rig) -> None:
    from netweather.kernel.namespaces import Namespace
    from netweather.kernel.netlink import links

    with Namespace(line.target.netns_fd) as inside:
        eth0, lo = inside.run(lambda: [links.device(name) for name in ("eth0", "lo")])
    assert eth0 is not None
    assert lo is not None
    inode = line.net.client.path.stat().st_ino
    with Recorder(inode, eth0.ifindex) as ours, Recorder(inode, lo.ifindex) as other:
        line.net.client.run(sys.executable, "-c", SHORT, "20")
        assert (ours.read().connections, sum(ours.read().first)) == (20, 20)
        assert other.read().connections == 0


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NETWEATHER_")}
    environment = {**kept, "NETWEATHER_STATE": str(folder / "state")}
    pipe = subprocess.PIPE
    return subprocess.Popen([*PROGRAM, *words], cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)


def test_the_command_writes_what_set_takes(line: Rig, tmp_path: Path) -> None:
    """What docs/record.md prints, on a namespace in place of the page's."""
    page = (ROOT / "docs" / "record.md").read_text()
    lines = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0].strip().splitlines()
    assert len(lines) == 3
    here = [part.partition("#")[0].replace("netns:shop", f"netns:{line.net.client.name}").split()[1:] for part in lines]
    line.set(rule_from_flags({"delay": "5ms"}))
    with start(tmp_path, *here[0]) as recording:
        while recording.poll() is None:
            line.net.client.run(sys.executable, "-c", SHORT, "100")
        out, err = recording.communicate()
    assert (recording.returncode, err) == (0, "")
    assert "each way; " in out
    assert "loss: unknown" in out
    line.clear()
    for words in here[1:]:
        with start(tmp_path, *words) as process:
            _, err = process.communicate(timeout=30 * SLOW)
        assert process.returncode == 0, err


def test_too_little_to_learn_from_is_told(line: Rig, tmp_path: Path) -> None:
    words = ("record", f"netns:{line.net.client.name}", "--for", "300ms", "-o", "home.yaml", "--json")
    with start(tmp_path, *words) as process:
        out, _ = process.communicate(timeout=30 * SLOW)
    assert process.returncode == 1
    assert json.loads(out)["code"] == "nothing-learnt"
    assert not (tmp_path / "home.yaml").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [(("-o", "home.txt"), "bad-output"), (("-o", "none/home.yaml"), "bad-output"), ((), "missing-target")],
    ids=["ending", "folder", "target"],
)
def test_what_is_wrong_is_told_first(tmp_path: Path, words: tuple[str, ...], code: str) -> None:
    with start(tmp_path, "record", *words) as process:
        _, err = process.communicate(timeout=30 * SLOW)
    assert process.returncode == 2
    assert f"[{code}]" in err
