"""The suite where the kernel is Debian's, with netem and (6.1) without tcx: all in one boot for each kernel.

`make test` has a case of each kind with Linux 6.1, about six minutes of emulation where nothing else runs; `make test-full`
has all of them, and those with 6.12 and the newest packaged kernel.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET

import pytest

from tests.support import guest
from tests.support.kernels import NoGuest

WHERE = ["tests/fidelity/test_by_hand.py", "tests/contract", "tests/fidelity/test_cases.py"]
WHERE += [f"tests/kernel/kernel/test_{name}.py" for name in ("netemlines", "netemways", "hooks", "bpf")]
WHERE += [f"tests/kernel/test_{name}.py" for name in ("interfaces", "classify_places", "packets", "probes", "clsact")]
ALL = "not planted and not fake"
"""Planted errors try the checks, and a fake itself: not the kernel."""
NETEM = f"{ALL} and not (test_case and pump)"
KINDS = (
    "delay-10ms or delay-tcp or jitter-normal or jitter-table-of-two or loss-3 or loss-of-tcp or loss-correlated-egress or "
    "loss-gilbert-e or loss-four or duplicate-10 or corrupt-10 or reorder-25 or rate-10mbit or rate-of-tcp-egress or "
    "limit-of-packets or ecn-marks or slot-10ms or slot-of-5 or rate-and-delay or everything-on-tcp or profile-3g-up"
)
ONE = f"({KINDS}) and not ((ingress or both or ipv6) and not delay-10ms)"
DEVICES = "egress-4 and ((vlan_and_no_other and 100) or (exactly and (ipvlan or bond)))"
BRIEFLY = (
    f"{NETEM} and not random and not (test_case and not ({ONE})) and not test_packets and not test_probes and not test_clsact and "
    f"not ((test_interfaces or test_classify_places) and not ({DEVICES}))"
)
"""A case of each kind, and devices that the kernel of many a machine lacks; all cases are compared with tc's own words."""
BRIEF = pytest.mark.timeout(1500)
LONG = [pytest.mark.full, pytest.mark.timeout(7200)]
JUSTIFIED = re.compile(r"\([A-Z][A-Z0-9_]+\)|^netem: |\(Linux (?P<major>\d+)\.(?P<minor>\d+)\)")
"""A skip names the kernel's option that is missing, what netem can't do, or a later Linux."""


@pytest.mark.root
@pytest.mark.skipif("NETWEATHER_GUEST" in os.environ, reason="this is the guest")
@pytest.mark.parametrize(
    ("suite", "linux", "chosen", "patience"),
    [
        pytest.param("bookworm", "6.1", BRIEFLY, 1000, id="6.1", marks=BRIEF),
        pytest.param("bookworm", "6.1", ALL, 6000, id="6.1-all", marks=LONG),
        pytest.param("trixie", "6.12", NETEM, 6000, id="6.12", marks=LONG),
        pytest.param("sid", "", NETEM, 6000, id="newest", marks=LONG),
    ],
)
def test_the_suite_passes_in_a_guest(suite: str, linux: str, chosen: str, patience: float) -> None:
    try:
        result = guest.run([*WHERE, "--full", "-m", "not full or fidelity", "-k", chosen], suite=suite, patience=patience)
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
