"""tools/bench/pump.py: every row is there, and is of what it says."""

import pytest

from tools.bench.pump import run
from tools.bench.rounds import Plan

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]


def test_rows(plan: Plan) -> None:
    rows = list(run(plan))
    assert [one.name for one in rows if one.goal] == [
        "TCP through a 0 ms line",
        "TCP, 0.1 % of wire packets lost",
        "TCP, 1 ms ± 0.5 ms, in order",
        "64-byte UDP, a message a packet",
        "64-byte UDP cut from messages of 64",
    ]
    assert {one.beside for one in rows} >= {
        "bare veth, GSO off",
        "bare veth, GSO on",
        "the same loss by nft, GSO off",
        "bare veth",
    }
    assert all(one.figure for one in rows)
    assert all(one.figure.median > 0 for one in rows if one.figure and one.goal)
    assert "CPUs busy" in rows[0].note
