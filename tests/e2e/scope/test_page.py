"""What docs/scope.md prints is run as printed, but for the folder of sockets, which is the test's own."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

from netweather.scope.buttons import PANEL, STEPS, name_of
from tests.e2e.scope.conftest import Box
from tests.support.machine import SLOW
from tests.support.repository import ROOT
from tests.support.scope import Report
from tests.support.scopeplugin import RealPlugin

PAGE = (ROOT / "docs" / "scope.md").read_text()
LINES = [
    line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.strip().splitlines()
]
START = "sudo netweather scope-plugin"


def test_every_line(own_plugin: RealPlugin, box: Box) -> None:
    starts, asks = [line for line in LINES if line.startswith(START)], [line for line in LINES if line.startswith("curl ")]
    assert len(starts) + len(asks) == len(LINES) == 4
    with box() as id:  # noqa: A001 - Docker's word
        for line in starts:
            own_plugin.start(*shlex.split(line.removeprefix(START)))
            own_plugin.appeared(id)
            report = own_plugin.report()
            names = re.findall(r"--control (\S+)", line) or PANEL[:7]
            shown = [name_of(each) for each in report.active(id) if not each.startswith("docker_")]
            assert sorted(shown) == sorted(names)
            steps = re.findall(r"--profile (\S+)", line) or STEPS
            assert report.topology["controls"]["next-profile"]["human"] == f"Next network: {', '.join(steps)}"
            if not line.removeprefix(START):
                names_and_words(report)
                for request in asks:
                    command = request.replace("/var/run/scope/plugins", str(own_plugin.probe.root))
                    done = subprocess.run(["sh", "-euc", command], capture_output=True, timeout=60 * SLOW, check=True)
                    assert f"{id};<container>" in json.loads(done.stdout)["Container"]["nodes"]
            assert own_plugin.stop() == 0


def names_and_words(report: Report) -> None:
    """The page's table has each control that the panel can show, by its name and its words."""
    for key, control in report.topology["controls"].items():
        if "-profile-" not in key:
            assert f"`{name_of(key)}`" in PAGE
            assert control["human"].partition(":")[0] in PAGE
