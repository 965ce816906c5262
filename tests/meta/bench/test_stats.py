"""tools/bench/stats.py: the programs that are timed count the calls that are made."""

from __future__ import annotations

import shutil
import sys

import pytest

from netweather.kernel.bpf import libbpf
from tests.support.rig import until
from tools.bench import stats
from tools.bench.network import Net
from tools.bench.rounds import Plan

pytestmark = pytest.mark.root


@pytest.mark.parametrize("variant", ["ours", "empty"])
def test_both_programs_run_for_each_call(net: Net, variant: str) -> None:
    with {"ours": stats.ours, "empty": stats.empty}[variant](net.client) as identifiers, libbpf.statistics():
        made = [libbpf.Program.by_id(identifier) for identifier in identifiers]
        net.client.run(sys.executable, "-c", stats.SENDER, "500")
        ran = sorted(program.run_time()[1] for program in made)
        for program in made:
            program.close()
    assert all(count >= 500 for count in ran[-2:])  # others on this machine send too


def test_nothing_of_bpftrace_is_left(net: Net) -> None:
    if shutil.which("bpftrace") is None:
        pytest.skip("bpftrace is not installed")
    with stats.bpftrace(net.client) as identifiers:
        assert len(identifiers) == len(stats.ITS_NAMES)
        assert identifiers <= stats.programs()
    until(lambda: not identifiers & stats.programs(), 20, "its programs are gone")


def test_rows(plan: Plan) -> None:
    rows = list(stats.run(plan))
    assert [one.name for one in rows] == [
        "a sendto that is counted",
        "the same, less what empty programs take there",
        "the same beside bpftrace",
    ]
    whole, less, beside = rows
    assert whole.figure is not None
    assert less.figure is not None
    assert less.figure.median < whole.figure.median < 5000  # one short round: what is left of it may be anything
    assert (beside.figure is None) == ("not possible" in beside.note)
