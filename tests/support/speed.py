"""How fast this machine is now, as a multiple of what a usual one needs: measured once, when a session starts.

The work is the suite's own kind: interpreters that start and compute, one for each processor at the same time, so that a
quota on all of them (a control group's cpu.max), other users and emulation count.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

WORK = "sum(number * number for number in range(5_000_000))"
USUAL_S = 0.25
"""Seconds that WORK takes on a usual machine of 2 cores, with the start of the interpreter."""
ROUNDS = 3
NOTICED = 1.25
"""What is less slow than this is as usual."""


def slowness() -> float:
    """How many times as long as usual things take now: 1.0 or more."""
    found = middle_of_rounds() / USUAL_S
    return round(found, 1) if found >= NOTICED else 1.0


def middle_of_rounds() -> float:
    """The seconds of a usual round: one stall doesn't make a machine slow, and one undisturbed moment doesn't make it fast."""
    return sorted(_round() for _ in range(ROUNDS))[ROUNDS // 2]


def _round() -> float:
    begin = time.monotonic()
    together = [subprocess.Popen([sys.executable, "-S", "-c", WORK]) for _ in os.sched_getaffinity(0)]
    for process in together:
        process.wait()
    return time.monotonic() - begin
