"""A kernel that lacks what statistics need: the rest works, and `doctor` and `stats` say what is missing.

Its types (BTF) are hidden by a mount that only the commands see; tracefs is refused to them by a filter of system calls.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netweather.kernel.tracing import tracepoints
from tests.support.machine import SLOW
from tests.support.netns import Lab, lab

MAIN = "import sys; from netweather.cli import main; sys.exit(main())"
HIDE_BTF = "mount -t tmpfs none /sys/kernel/btf; echo hidden; exec sleep infinity"
FILTER = """
import ctypes, struct
load, equals, give = (0x20, 0, 0, 0), (0x15, 0, 1, 430), 0x06  # the call's number; fsopen; return
codes = [load, equals, (give, 0, 0, 0x00050000 | 19), (give, 0, 0, 0x7FFF0000)]  # ENODEV, or allowed
program = b"".join(struct.pack("HBBI", *code) for code in codes)
held = ctypes.create_string_buffer(program)
libc = ctypes.CDLL(None, use_errno=True)
whole = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(codes), ctypes.addressof(held)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, whole, 0, 0) == 0, ctypes.get_errno()
"""
"""As on a kernel without tracing: fsopen, by which we reach tracefs, ends with ENODEV (the same number on every architecture)."""
WITHOUT_TRACEFS = [sys.executable, "-c", FILTER + MAIN]


@pytest.fixture(scope="module")
def net() -> Iterator[Lab]:
    with lab() as made:
        yield made


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NETWEATHER_")}
    return {**kept, "NETWEATHER_STATE": str(tmp_path / "state"), "COLUMNS": "200"}


@pytest.fixture
def without_btf() -> Iterator[list[str]]:
    """A command line in mounts that don't show the kernel's types."""
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-ec", HIDE_BTF]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "hidden\n"
        yield ["nsenter", "--mount", f"--target={holder.pid}", sys.executable, "-c", MAIN]
        holder.kill()


def run(command: list[str], environment: dict[str, str], *words: str, code: int = 0) -> str:
    done = subprocess.run([*command, *words], env=environment, capture_output=True, text=True, timeout=50 * SLOW, check=False)
    assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stderr if code else done.stdout


def features(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    told = json.loads(run(command, environment, "doctor", "--json"))
    assert told["works"]
    return {each["name"]: each for each in told["features"]}


@pytest.mark.skipif(not Path("/sys/kernel/btf/vmlinux").exists(), reason="this kernel has no BTF (DEBUG_INFO_BTF)")
def test_without_btf_there_are_no_statistics_and_the_rest_works(
    net: Lab, environment: dict[str, str], tmp_path: Path, without_btf: list[str]
) -> None:
    target = f"netns:{net.client.name}"
    for words in (("stats", target, "--for", "1s"), ("record", target, "--for", "1s", "-o", str(tmp_path / "home.yaml"))):
        said = run(without_btf, environment, *words, code=1)
        assert "[no-btf]" in said
        assert "/sys/kernel/btf/vmlinux" in said
        assert "mount sysfs whole" in said
    told = features(without_btf, environment)
    for name in ("btf", "syscall-stats", "tcp-stats", "drop-reasons"):
        assert (told[name]["answer"], "btf" in told[name]["detail"].lower()) == ("no", True)
        assert "mount sysfs whole" in told[name]["remedy"]
    try:
        run(without_btf, environment, "set", target, "--delay", "30ms", "--name", "slow", "--for", "1m", "--direct")
        assert net.client.run("ping", "-c2", "-i0.2", str(net.server.v4)).stdout.count("time=") == 2
        shown = json.loads(run(without_btf, environment, "show", target, "--json", "--direct"))
        assert [each["status"]["inForce"] for each in shown] == [True]
        assert sum(each["counters"]["packets"] for each in shown[0]["status"]["rules"]) >= 4
        assert run(without_btf, environment, "connections", target, "--direct") != ""
    finally:
        run(without_btf, environment, "clear", target, "--direct")


def test_without_tracefs_too(net: Lab, environment: dict[str, str]) -> None:
    target = f"netns:{net.client.name}"
    said = run(WITHOUT_TRACEFS, environment, "stats", target, "--for", "1s", code=1)
    assert "[no-tracepoints]" in said
    told = features(WITHOUT_TRACEFS, environment)
    assert told["btf"]["answer"] == "yes"
    for name in ("syscall-stats", "tcp-stats", "drop-reasons"):
        assert (told[name]["answer"], told[name]["detail"]) == ("no", "tracefs is not mounted: No such device")
        assert told[name]["remedy"]
    run(WITHOUT_TRACEFS, environment, "connections", target, "--direct")


WITHOUT_SOME = """
from netweather.kernel.tracing import tracepoints
exists = tracepoints.exists
tracepoints.exists = lambda name: name not in {names!r} and exists(name)
"""
"""Single tracepoints can't be taken away from a kernel; what is asked of tracefs can."""
MISSING = ("sock/inet_sock_set_state", "tcp/tcp_send_reset", "syscalls/sys_enter_sendmsg")


def test_what_a_missing_tracepoint_would_have_counted_is_not_told_as_zero(net: Lab, environment: dict[str, str]) -> None:
    assert all(tracepoints.exists(name) for name in MISSING)
    command = [sys.executable, "-c", WITHOUT_SOME.format(names=MISSING) + MAIN]
    words = ("stats", f"netns:{net.client.name}", "--only", "sendmsg,sendto,tcp", "--for", "1s", "--direct")
    text = run(command, environment, *words)
    assert "connections: not counted" in text
    assert "retransmitted segments: 0; resets: 0 received, not counted sent" in text
    made = json.loads(run(command, environment, *words, "--json"))
    assert made["missing"] == ["syscalls/sys_enter_sendmsg", "sock/inet_sock_set_state", "tcp/tcp_send_reset"]
    assert [made["tcp"][name] for name in ("opened", "refused", "resetsSent")] == [None] * 3
    assert [made["tcp"][name] for name in ("retransmits", "resetsReceived", "drops")] == [0, 0, 0]
