"""What docs/scope.md prints is run as printed, but for the folder of sockets, which is the test's own."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

from tests.e2e.scope.conftest import Box
from tests.support.repository import ROOT
from tests.support.scopeplugin import ID, RealPlugin

PAGE = (ROOT / "docs" / "scope.md").read_text()
LINES = [
    line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.strip().splitlines()
]
START = "sudo netweather scope-plugin"


def test_every_line(own_plugin: RealPlugin, box: Box) -> None:
    starts, asks = [line for line in LINES if line.startswith(START)], [line for line in LINES if line.startswith("curl ")]
    assert len(starts) + len(asks) == len(LINES) == 3
    with box() as id:  # noqa: A001 - Docker's word
        for line in starts:
            own_plugin.start(*shlex.split(line.removeprefix(START)))
            own_plugin.appeared(id)
            found = set(own_plugin.report().topology["controls"])
            named = {f"traffic-control-profile-{name}" for name in re.findall(r"--profile (\S+)", line)}
            assert named <= found
            assert not named or {each for each in found if "profile" in each} == named
            assert own_plugin.stop() == 0
        own_plugin.start()
        for line in asks:
            command = line.replace("/var/run/scope/plugins", str(own_plugin.probe.root))
            done = subprocess.run(["sh", "-euc", command], capture_output=True, timeout=30, check=True)
            assert f"{id};<container>" in json.loads(done.stdout)["Container"]["nodes"]


def test_the_controls_it_tells_of_are_there(own_plugin: RealPlugin) -> None:
    own_plugin.start()
    told = {each["human"] for each in own_plugin.probe.report(ID).topology["controls"].values()}
    for words in ("Traffic speed: slow", "Packet drop: low", "Clear traffic control settings", "End every network condition"):
        assert words in told
        assert words in PAGE
    for speed in ("10 Mbit/s", "1 Mbit/s", "128 kbit/s"):
        assert f"Bandwidth: {speed}" in told
        assert speed in PAGE
