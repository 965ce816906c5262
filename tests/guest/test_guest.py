"""The suite where the kernel is Debian's, with netem and (6.1) without tcx: all in one boot for each kernel.

`make test` has Linux 6.1; `make test-full` has 6.12 and the newest packaged kernel too, and more of the suite.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET

import pytest

from tests.support import guest
from tests.support.kernels import NoGuest

WHERE = ["tests/contract", "tests/kernel/kernel", "tests/fidelity/test_by_hand.py", "tests/fidelity/test_cases.py"]
NETEM = ["--full", "-m", "not full or fidelity", "-k", "not planted and not (test_case and pump)"]
"""Planted errors try the checks, not the kernel."""
JUSTIFIED = re.compile(r"\([A-Z][A-Z0-9_]+\)|^netem: |\(Linux (?P<major>\d+)\.(?P<minor>\d+)\)")
"""A skip names the kernel's option that is missing, what netem can't do, or a later Linux."""


@pytest.mark.root
@pytest.mark.xdist_group("guest")
@pytest.mark.skipif("NETWEATHER_GUEST" in os.environ, reason="this is the guest")
@pytest.mark.parametrize(
    ("suite", "linux", "patience"),
    [
        pytest.param("bookworm", "6.1", 420, id="6.1", marks=[pytest.mark.full, pytest.mark.timeout(900)]),
        pytest.param("trixie", "6.12", 2400, id="6.12", marks=[pytest.mark.full, pytest.mark.timeout(3000)]),
        pytest.param("sid", "", 2400, id="newest", marks=[pytest.mark.full, pytest.mark.timeout(3000)]),
    ],
)
def test_the_suite_passes_in_a_guest(suite: str, linux: str, patience: float) -> None:
    try:
        result = guest.run([*WHERE, *NETEM], suite=suite, patience=patience)
    except NoGuest as error:
        pytest.skip(str(error))
    print(result.text)
    assert result.code == 0, result.text
    assert result.linux.startswith(linux)
    assert unjustified(result.report, result.linux) == []


def unjustified(junit: str, linux: str) -> list[str]:
    """The skips of a run that this Linux gives no reason for. Raises AssertionError when all of it was skipped."""
    suite = ET.fromstring(junit).find("testsuite")
    assert suite is not None
    assert int(suite.get("tests", "0")) > int(suite.get("skipped", "0"))
    here = tuple(int(part) for part in re.findall(r"\d+", linux)[:2])
    wrong = []
    for reason in (each.get("message", "") for each in suite.iter("skipped")):
        found = JUSTIFIED.search(reason)
        if found is None or (found["major"] and (int(found["major"]), int(found["minor"])) <= here):
            wrong.append(reason)
    return wrong


def test_a_skip_needs_a_reason() -> None:
    reasons = ["this kernel has no tcx (Linux 6.6)", "no sch_netem (NET_SCH_NETEM)", "netem: no trace", "not today"]
    skips = "".join(f'<testcase><skipped message="{each}"/></testcase>' for each in reasons)
    junit = f'<testsuites><testsuite tests="9" skipped="4">{skips}</testsuite></testsuites>'
    assert unjustified(junit, "6.1.0-56-amd64") == ["not today"]
    assert unjustified(junit, "6.12.9-amd64") == ["this kernel has no tcx (Linux 6.6)", "not today"]
