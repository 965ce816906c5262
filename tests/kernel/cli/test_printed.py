"""What docs/run.md, docs/matrix.md and docs/find-limit.md print is run as printed.

The machine is a lab's client, the pages' containers are the lab's namespaces, and their programs are scripts that use the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from netweather.units import Duration
from tests.kernel.cli.machine import Machine, machine
from tests.support.repository import printed

pytestmark = pytest.mark.timeout(420)
JUNIT = '<testsuite><testcase classname="shop" name="buys" time="0.1"/></testsuite>'


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path) as made:
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "index.html").write_text("the shop's page")
        yield made


def run(host: Machine, line: str) -> CompletedProcess[str]:
    """With a target, COMMAND runs where the test is, beside the namespaces."""
    target = "docker:shop" in line
    for word, here in (("docker:shop", host.net.client.name), ("docker:db", host.net.server.name)):
        line = line.replace(word, f"netns:{here}")
    return host.shell(line.replace(" --target", " --direct --target"), inside=not target)


def test_run(host: Machine) -> None:
    lines = printed("run.md")
    assert len(lines) == 3
    host.site(8000)
    host.site(5432)
    host.site(5432, str(host.net.server.v4), host.net.server.name)
    (host.folder / "tests").mkdir()
    (host.folder / "tests" / "test_it.py").write_text(
        "import time, urllib.request\n\n"
        "def test_the_database_is_slow():\n"
        "    begin = time.monotonic()\n"
        "    assert urllib.request.urlopen('http://localhost:5432/', timeout=60).read() == b\"the shop's page\"\n"
        "    assert time.monotonic() - begin >= 0.8\n"
    )
    host.program("backup", "curl -fsS -m 60 http://db.example.org:5432/")
    page, tests, backup = (run(host, line) for line in lines)
    assert (page.returncode, page.stdout) == (0, "the shop's page"), page.stderr
    assert (tests.returncode, "1 passed" in tests.stdout) == (0, True), tests.stdout + tests.stderr
    assert (backup.returncode, backup.stdout) == (0, "the shop's page"), backup.stderr
    assert host.targets() == []


def test_matrix(host: Machine) -> None:
    (line,) = printed("matrix.md")
    host.site(8000, str(host.net.server.v4), host.net.server.name)
    page = f"ip netns exec {host.net.client.name} curl -fsS -m 60 http://{host.net.server.v4}:8000/"
    host.program("bin/gotestsum", f"test \"$1 $3\" = '--junitfile ./...'\n{page}\necho '{JUNIT}' >\"$2\"")
    done = run(host, line)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = (host.folder / "summary.md").read_text()
    assert "| test | perfect | 4g | 3g |" in summary
    assert re.search(r"^\| `shop buys` \| ✓ [^|]+ \| ✓ [^|]+ \| ✓ [^|]+ \|$", summary, re.MULTILINE), summary
    assert "profile 3g" in (host.folder / "networks.html").read_text()
    assert host.targets() == []


@pytest.mark.full  # a minute and a half
def test_find_limit(host: Machine) -> None:
    """All at once: most of the time is spent on waiting. A page takes two round trips, so half a second is four times the delay:
    none passes beyond 125 ms. On a busy machine some fail before, and find-limit says so."""
    lines = printed("find-limit.md")
    assert len(lines) == 3
    host.site(8000)
    host.site(8000, str(host.net.server.v4), host.net.server.name)
    through = f"ip netns exec {host.net.client.name} curl -fsS -m 10 http://{host.net.server.v4}:8000/"
    own = "curl -fsS -m 10 http://host.netweather:8000/"
    host.program("smoke-test", f"if getent hosts host.netweather; then {own}; else {through}; fi")
    with ThreadPoolExecutor(len(lines)) as pool:
        limit, rate, loss = pool.map(lambda line: run(host, line), lines)
    told = re.findall(r"passes up to delay \S+, and fails from|fails at the good end already|CAN'T TELL", limit.stdout)
    assert len(told) == 1, limit.stdout + limit.stderr
    assert limit.returncode == (0 if told[0].startswith("passes") else 1 if told[0].startswith("fails") else 3), limit.stdout
    runs = re.findall(r"delay (\S+): (passes|fails) after", limit.stderr)
    assert runs[0][0] == "0s"
    assert {"passes", "fails"} == {how for _, how in runs}
    assert all(Duration.parse(delay).seconds <= 0.125 for delay, how in runs if how == "passes")
    assert told[0] in (host.folder / "limit.svg").read_text()
    for done in (rate, loss):
        assert done.returncode == 0, done.stdout + done.stderr
    assert "passes up to rate 64kbit, the bad end" in rate.stdout
    assert "passes up to loss" in loss.stdout
    assert host.targets() == []
