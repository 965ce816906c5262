"""`netweather operator` as a process, beside the one that is installed: it starts, takes no part while another leads, and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.node import Cluster
from tests.support.rig import until

PROGRAM = "import sys; from netweather.cli import main; sys.exit(main())"


@pytest.mark.timeout(300)
def test_a_second_one_waits_and_ends_when_told(kubernetes: Cluster, tmp_path: Path) -> None:
    def holder() -> str:
        return kubernetes.kubectl(
            "-n", "netweather", "get", "lease", "netweather-operator", "-o", "jsonpath={.spec.holderIdentity}", check=False
        )

    until(holder, 60, "somebody leads")
    first = holder()
    log = tmp_path / "log"
    environment = os.environ | {"KUBECONFIG": str(kubernetes.kubeconfig)}
    command = [sys.executable, "-c", PROGRAM, "operator", "--lease-namespace", "netweather"]
    with log.open("w") as opened, subprocess.Popen(command, env=environment, stdout=opened, stderr=opened) as process:
        try:
            until(lambda: "ready:" in log.read_text(), 30, "it knows the cluster")
            assert process.poll() is None
            assert holder() == first
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, log.read_text()
    assert "Traceback" not in log.read_text()
