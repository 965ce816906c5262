"""tools/bench/netem.py: our netem line beside netem by hand, here or in a guest."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from netweather.kernel.features import features
from tests.support import guest
from tests.support.kernels import NoGuest
from tools.bench import netem
from tools.bench.figures import Rows, at_least, row
from tools.bench.network import Net
from tools.bench.report import Report
from tools.bench.rounds import Plan

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]


@dataclass
class Done:
    """What a guest's bench came to."""

    code: int
    report: str
    text: str = "what it said"


def test_rows_where_netem_is(plan: Plan) -> None:
    if not features.there("netem"):
        pytest.skip("this kernel has no sch_netem (NET_SCH_NETEM)")
    rows = {one.name: one for one in netem.run(plan)}
    assert len(rows) == 7
    assert str(rows["TCP, 1 ms of delay"].goal) == "× ≥ 0.7"
    assert str(rows["64-byte UDP, 1 ms of delay"].goal) == "× ≥ 0.8"
    for name in ("ping, 1 ms of delay, median RTT", "10 ms asked, how late: median"):
        figure, baseline = rows[name].figure, rows[name].baseline
        assert figure
        assert baseline
        assert figure.median > (1000 if "ping" in name else 0)


def test_by_hand_is_taken_away_again(net: Net) -> None:
    if not features.there("netem"):
        pytest.skip("this kernel has no sch_netem (NET_SCH_NETEM)")
    before = net.client.run("tc", "qdisc").stdout + net.client.run("ethtool", "-k", "eth0").stdout
    with netem._by_hand(net, netem.BY_HAND["loss"], gso=False):
        assert "netem" in net.client.run("tc", "qdisc").stdout
        assert "generic-segmentation-offload: off" in net.client.run("ethtool", "-k", "eth0").stdout
    assert net.client.run("tc", "qdisc").stdout + net.client.run("ethtool", "-k", "eth0").stdout == before


def test_the_rows_of_a_guest_say_where_they_are_of(monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report({})
    report.rows.append(row("netem", "TCP", "Gbit/s", [7.0], ("by hand", [9.0]), goal=at_least(0.7), note="1 CPU busy"))
    document = {**report.document(), "machine": {"kernel": "6.1.0-test"}}
    asked: list[str] = []

    def run(arguments: Sequence[str], **_: object) -> Done:
        asked.extend(arguments)
        return Done(0, json.dumps(document))

    monkeypatch.setattr(features, "there", lambda name: False)
    monkeypatch.setattr(guest, "run", run)
    (one,) = netem.run(Plan(3, quick=True))
    assert asked == ["--only", "netem", "--rounds", "3", "--quick"]
    assert one.note == "1 CPU busy; in an emulated guest, Linux 6.1.0-test"
    assert (one.ratio, one.reached) == (report.rows[0].ratio, "yes")


def test_a_guest_that_fails_or_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "there", lambda name: False)
    monkeypatch.setattr(guest, "run", lambda *_, **__: Done(1, "", "it broke"))
    with pytest.raises(RuntimeError, match="it broke"):
        list(rows())

    def none(*_: object, **__: object) -> None:
        raise NoGuest("no qemu")

    monkeypatch.setattr(guest, "run", none)
    (one,) = rows()
    assert (one.figure, one.note) == (None, "not possible here: no qemu")


def rows() -> Rows:
    return netem.run(Plan(1, quick=True))
