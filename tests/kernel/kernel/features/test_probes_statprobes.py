from __future__ import annotations

import re
from pathlib import Path

import pytest

from netweather.kernel.features import features, probes
from netweather.kernel.features.features import FEATURES, ProbeEnvironment
from netweather.kernel.host_info import HostInfo
from netweather.kernel.tracing import tracepoints

HOST = HostInfo("6.18.0", "x86_64", {"FTRACE_SYSCALLS": "n"}, ("debian",), modules=Path("/nonexistent"))
BENCH = ProbeEnvironment(Path("/nonexistent"), HOST)


def answer(name: str) -> tuple[str, str]:
    finding = features.probe(next(each for each in FEATURES if each.name == name), BENCH)
    return finding.state, finding.detail


def test_this_kernel_has_them() -> None:
    assert probes.calls(BENCH)
    assert probes.tcp(BENCH)
    assert int(re.findall(r"\d+", probes.reasons(BENCH))[0]) > 10


def test_a_kernel_without_system_calls_tracepoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracepoints, "exists", lambda name: not name.startswith("syscalls/"))
    assert answer("syscall-stats") == ("no", "this kernel was built without CONFIG_FTRACE_SYSCALLS")
    assert answer("tcp-stats")[0] == "yes"


def test_a_kernel_without_one_of_tcps(monkeypatch: pytest.MonkeyPatch) -> None:
    exists = tracepoints.exists
    monkeypatch.setattr(tracepoints, "exists", lambda name: name != "tcp/tcp_send_reset" and exists(name))
    assert answer("tcp-stats") == ("no", "the kernel has no tracepoint tcp/tcp_send_reset")


def test_a_kernel_without_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracepoints, "fields", lambda name: frozenset({"skbaddr"}))
    assert answer("drop-reasons") == ("no", "packets are dropped without a reason")
