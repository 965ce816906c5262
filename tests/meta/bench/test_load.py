"""tools/bench/load.py: what is busy, from /proc."""

import os
import sys
import time

import pytest

from tools.bench.load import Load, busy_share, cpu_ms, cpu_ticks, watched, words


def test_a_process_that_works_is_seen() -> None:
    with watched(me=os.getpid()) as load:
        begin = time.process_time()
        while time.process_time() - begin < 0.3:
            pass
    assert 0.1 < sum(load.processes["me"]) < 1.5
    assert load.busy > 0.1
    assert cpu_ticks(os.getpid()) > 0


def test_the_cpu_time_of_a_command() -> None:
    work = "import time\nwhile time.process_time() < 0.2: pass"
    assert 200 <= cpu_ms([sys.executable, "-c", work], os.environ) < 5000
    with pytest.raises(RuntimeError, match="exit 3"):
        cpu_ms(["sh", "-c", "exit 3"], os.environ)


def test_a_process_that_is_gone_is_none() -> None:
    assert cpu_ticks(0) == 0


def test_a_share_is_one() -> None:
    assert 0 <= busy_share(0.05) <= 1.5  # ticks are coarse


def test_words_leave_out_the_idle() -> None:
    loads = [Load(1.9, 0.3, {"pump": (0.1, 0.7), "keeper": (0.0, 0.01)})] * 3
    assert words(loads) == f"1.90 of {os.cpu_count()} CPUs busy, softirq 0.30, pump 0.80 (kernel 0.70)"
