"""The other architecture, emulated: the same packets for the same seed, and no system call that its filter would kill."""

from __future__ import annotations

import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from netweather.lines.params import ONE, LineParams, LossModel
from tests.native.pump import core, harness, wire
from tests.native.pump.harness import REMOVE, frame, number_of, receive

EMULATOR = "qemu-aarch64-static"
MS = 10**6

pytestmark = pytest.mark.skipif(shutil.which(EMULATOR) is None, reason=f"{EMULATOR} (Debian: qemu-user-static) is not installed")


@pytest.fixture(scope="module")
def binary() -> Path:
    command = [*harness.ZIG, "-target", "aarch64-linux-musl", "-static", "-O2", "-DNW_NO_SECCOMP"]
    return harness.build("netweather-pump-aarch64", command, harness.sources())


def allowed() -> set[str]:
    return set(re.findall(r"ALLOW(?:_WITHOUT)?\((\w+)", (harness.PUMP / "sandbox.c").read_text()))


def test_same_seed_same_packets_as_here(binary: Path) -> None:
    params = LineParams(
        seed=99, loss_model=LossModel.GILBERT_ELLIOTT, loss_a=(ONE // 10, ONE // 3, ONE, ONE // 50, 0), loss_rho=5
    )
    with core.line(params) as line:
        expected = [int(n) for n in line.run(core.every(1000, 1000))["number"]]
    found: list[int] = []
    with harness.running(binary, wrapper=[EMULATOR]) as pump:
        peer = pump.add(params)
        for first in range(0, 1000, 50):
            for number in range(first, first + 50):
                peer.send(frame(number))
            due = sum(first <= n < first + 50 for n in expected)
            found += [number_of(data) for _, data in receive(peer, due)]
    assert found == expected


def test_its_system_calls_are_on_the_list(binary: Path) -> None:
    """Everything after the rights are given up (capset is the last of that), as the emulator saw it."""
    with harness.running(binary, wrapper=[EMULATOR, "-strace"]) as pump:
        for number in range(3):
            params = LineParams(delay_ns=MS, jitter_ns=MS, seed=1, corrupt_p=ONE // 3, rate_bps=10**9)
            peer = pump.add(params, number, vnet=True)
            for size in (500, 30_000, 60_000):
                data, vnet = wire.make(bytes(size))
                peer.send(vnet + data)
        time.sleep(0.3)
        pump.set(LineParams(trace=b"no trace"))
        pump.client.ask(REMOVE, 1)
        pump.process.send_signal(signal.SIGTERM)
        pump.process.wait(10)
    after = pump.errors.rpartition("capset(")[2]
    used = set(re.findall(r"^\d+ (\w+)\(", after, re.MULTILINE)) - {"prctl"}
    assert {"readv", "writev", "epoll_pwait", "recvmsg", "mmap"} <= used
    assert used <= allowed()
