"""The suite where the kernel is Debian's, with netem and (6.1) without tcx: all in one boot for each kernel.

`make test` gives Linux 6.1 five minutes of emulation, with the cases that find most at first: what another verifier refuses, what
only netem or only clsact does, a case of each kind. What it does not come to is shown as not run. `make test-full` has all of them,
and those with 6.12 and the newest packaged kernel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest

from tests.support import guest
from tests.support.kernels import NoGuest
from tests.support.machine import EMULATED, SLOW
from tests.support.outcomes import Outcomes

BRIEF_WHERE = [
    f"tests/kernel/kernel/{name}.py" for name in ("bpf/test_libbpf", "bpf/test_hooks", "datapath/test_plumbing_netemways")
]
BRIEF_WHERE += [f"tests/kernel/test_{name}.py" for name in ("interfaces", "classify_places")]
BRIEF_WHERE += [
    "tests/contract/test_seam.py",
    "tests/fidelity/test_cases.py",
    "tests/kernel/kernel/datapath/test_netem_devices.py",
]
WHERE = [*BRIEF_WHERE, "tests/fidelity/test_by_hand.py", "tests/contract"]
WHERE += [f"tests/kernel/test_{name}.py" for name in ("packets", "probes", "clsact")]
"""In this order: a guest that is too slow does not come to the last of them."""
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
BRIEFLY = f"{NETEM} and not (test_case and not ({ONE})) and not ((test_interfaces or test_classify_places) and not ({DEVICES}))"
"""A case of each kind, and devices that the kernel of many a machine lacks; all cases are compared with tc's own words."""
BRIEF = pytest.mark.timeout(700)
LONG = [pytest.mark.full, pytest.mark.timeout(7200)]
JUSTIFIED = re.compile(r"\([A-Z][A-Z0-9_]+\)|^netem: |\(Linux (?P<major>\d+)\.(?P<minor>\d+)\)")
"""A skip names the kernel's option that is missing, what netem can't do, or a later Linux."""


@pytest.mark.root
@pytest.mark.skipif(EMULATED, reason="this is the guest")
@pytest.mark.flaky(reruns=0)  # what it did is known, test by test: it is never started twice
@pytest.mark.parametrize(
    ("suite", "linux", "where", "chosen", "patience"),
    [
        pytest.param("bookworm", "6.1", BRIEF_WHERE, BRIEFLY, 300, id="6.1", marks=BRIEF),
        pytest.param("bookworm", "6.1", WHERE, ALL, 6000 * SLOW, id="6.1-all", marks=LONG),
        pytest.param("trixie", "6.12", WHERE, NETEM, 6000 * SLOW, id="6.12", marks=LONG),
        pytest.param("sid", "", WHERE, NETEM, 6000 * SLOW, id="newest", marks=LONG),
    ],
)
def test_the_suite_passes_in_a_guest(
    suite: str, linux: str, where: list[str], chosen: str, patience: float, record_property: Callable[[str, object], None]
) -> None:
    try:
        result = guest.run([*where, "--full", "-m", "not full or fidelity", "-k", chosen], suite=suite, patience=patience)
    except NoGuest as error:
        pytest.skip(str(error))
    found = result.outcomes
    print(result.text, *sorted(f"{took:6.1f} s {test}" for test, took in found.seconds.items()), sep="\n")
    record_property("guest", f"Linux {result.linux}: {found}")
    record_property("not run in the guest", found.not_run)
    judge(found, result.code, died=result.died)
    assert result.linux.startswith(linux)
    assert unjustified(found.skipped, result.linux) == []


def judge(found: Outcomes, code: int | None, *, died: bool) -> None:
    """What was not run is no failure; a guest that did nothing at all is a skip. Raises AssertionError."""
    assert not died, "the guest died"
    assert not found.failed, "\n\n".join(f"{test}\n{said}" for test, said in found.failed.items())
    assert code in (0, None) or found.not_run, f"pytest in the guest: exit {code}"
    if found.collected or code is not None:
        assert found.passed or found.not_run, "all of it was skipped"
    if not found.passed:
        pytest.skip(f"the guest was too slow to end a single test: {found}")


def unjustified(skipped: Mapping[str, str], linux: str) -> list[str]:
    """The reasons of skips that this Linux does not give."""
    here = tuple(int(part) for part in re.findall(r"\d+", linux)[:2])
    wrong = []
    for reason in skipped.values():
        found = JUSTIFIED.search(reason)
        if found is None or (found["major"] and (int(found["major"]), int(found["minor"])) <= here):
            wrong.append(reason)
    return wrong


def test_a_skip_needs_a_reason() -> None:
    reasons = ["this kernel has no tcx (Linux 6.6)", "no sch_netem (NET_SCH_NETEM)", "netem: no trace", "not today"]
    skips = {f"test_{number}": reason for number, reason in enumerate(reasons)}
    assert unjustified(skips, "6.1.0-56-amd64") == ["not today"]
    assert unjustified(skips, "6.12.9-amd64") == ["this kernel has no tcx (Linux 6.6)", "not today"]


def test_a_slow_guest_is_no_failure_and_a_failed_or_dead_one_is() -> None:
    judge(Outcomes(["a", "b"], passed=["a"]), None, died=False)
    judge(Outcomes(["a", "b"], passed=["a"]), 2, died=False)  # as pytest ends when the time is over
    with pytest.raises(pytest.skip.Exception, match="too slow"):
        judge(Outcomes(["a", "b"]), None, died=False)
    for found, code, died in (
        (Outcomes(["a", "b"], failed={"a": "why"}), None, False),
        (Outcomes(["a", "b"], passed=["a"]), None, True),
        (Outcomes(["a"], passed=["a"]), 3, False),
        (Outcomes(["a"], skipped={"a": "why"}), 0, False),
        (Outcomes(), 4, False),
    ):
        with pytest.raises(AssertionError):
            judge(found, code, died=died)
