"""What keeps the CPUs busy, from /proc: with it a row says what limits it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

TICKS = os.sysconf("SC_CLK_TCK")
FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
NOTICED = 0.03
"""Processes that use less of a CPU are left out."""


def cpu_ticks(pid: int) -> int:
    """CPU time that a process has used, of user and system; 0: there is none."""
    return sum(_ticks(pid))


def cpu_ms(command: Sequence[str | Path], environment: Mapping[str, str]) -> float:
    """CPU time that a command uses, itself alone. Raises RuntimeError when it fails."""
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {process.returncode}")
    return (used.ru_utime + used.ru_stime) * 1000


def _ticks(pid: int) -> tuple[int, int]:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0
    return int(fields[11]), int(fields[12])


def _machine() -> dict[str, int]:
    words = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return dict(zip(FIELDS, map(int, words), strict=False))


@dataclass
class Load:
    """CPUs in use while something was measured: 1.0 is one of them. processes: (of user, of kernel) by name."""

    busy: float = 0.0
    softirq: float = 0.0
    processes: dict[str, tuple[float, float]] = field(default_factory=dict)


def words(loads: Sequence[Load]) -> str:
    """What was busy, in the middle of several measures: `1.97 of 2 CPUs busy, softirq 0.31, pump 0.80 (kernel 0.74)`."""
    parts = [f"{median(load.busy for load in loads):.2f} of {os.cpu_count()} CPUs busy"]
    parts.append(f"softirq {median(load.softirq for load in loads):.2f}")
    for name in loads[0].processes:
        both = median(sum(load.processes[name]) for load in loads)
        if both >= NOTICED:
            parts.append(f"{name} {both:.2f} (kernel {median(load.processes[name][1] for load in loads):.2f})")
    return ", ".join(parts)


@contextmanager
def watched(**pids: int) -> Iterator[Load]:
    """Fills a Load in when it ends: of the machine, and of processes by name."""
    load = Load()
    before, begin, each = _machine(), time.monotonic(), {name: _ticks(pid) for name, pid in pids.items()}
    yield load
    took = (time.monotonic() - begin) * TICKS
    after = _machine()
    used = {name: (after[name] - before[name]) / took for name in FIELDS}
    load.busy = sum(used[name] for name in ("user", "nice", "system", "irq", "softirq", "steal"))
    load.softirq = used["softirq"]
    for name, pid in pids.items():
        now = _ticks(pid)
        load.processes[name] = ((now[0] - each[name][0]) / took, (now[1] - each[name][1]) / took)


def busy_share(seconds: float = 0.5) -> float:
    """How busy the machine is by itself, as a share of all CPUs."""
    with watched() as load:
        time.sleep(seconds)
    return load.busy / (os.cpu_count() or 1)
