"""`kubectl netweather verify`: PASS, FAIL and CAN'T TELL by what the status says."""

from __future__ import annotations

from typing import Any

import pytest

from netweather.cli.kubectl.verify import verdict
from tests.support.fakeapi import FakeApi
from tests.support.objects import condition
from tests.unit.kubectl.conftest import IN_FORCE, PENDING, REFUSED, Run, answer, state

FAILED = (IN_FORCE[0], state("InForce", "False", "KernelRefused", "on 1 of 2 pods"))
MEASURED = (*IN_FORCE, state("Verified", "True", "Measured", "seen on the wire"))
DISPROVED = (*IN_FORCE, state("Verified", "False", "NotSeen", "no delay"))
CASES: list[tuple[tuple[dict[str, str], ...], bool, str, int]] = [
    (IN_FORCE, False, "PASS", 0),
    (MEASURED, True, "PASS", 0),
    (IN_FORCE, True, "CAN'T TELL", 3),
    (PENDING, False, "CAN'T TELL", 3),
    (REFUSED, False, "FAIL", 1),
    (FAILED, False, "FAIL", 1),
    (DISPROVED, True, "FAIL", 1),
]


@pytest.mark.parametrize(("conditions", "asked", "word", "code"), CASES)
def test_verdicts(run: Run, api: FakeApi, conditions: Any, asked: bool, word: str, code: int) -> None:
    api.put("networkconditions", condition(**({"verify": True} if asked else {})))
    answer(api, "slow", conditions, pods=[{"name": "a", "node": "node-1", "state": "Pending"}])
    done = run("verify")
    assert (done.code, done.out.startswith(word), "a on node-1: Pending" in done.out) == (code, True, True)
    assert run("verify", "--name", "slow", "--json").json[0]["verdict"] == word


def test_one_that_was_changed_since() -> None:
    found = condition(generation=2, status={"observedGeneration": 1, "conditions": list(IN_FORCE)})
    assert verdict(found)[0] == "CAN'T TELL"


def test_the_worst_counts(run: Run, api: FakeApi) -> None:
    for name, conditions in (("a", IN_FORCE), ("b", PENDING), ("c", FAILED)):
        api.put("networkconditions", condition(name))
        answer(api, name, conditions)
    assert run("verify").code == 1
    assert run("verify", "--name", "none").code == 1
