from __future__ import annotations

import subprocess
import sys


def test_it_ends_when_the_demo_is_gone_already() -> None:
    command = [sys.executable, "-m", "netweather.demo.processes.inside", "payment", "0", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr == ""
