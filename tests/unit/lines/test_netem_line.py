from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from netweather.conditions import (
    Condition,
    Corrupt,
    Delay,
    Duplicate,
    LossBurst,
    LossEvery,
    LossGemodel,
    LossList,
    LossRandom,
    LossState,
    RateLimit,
    Reorder,
    Slot,
)
from netweather.kernel.netlink.netem_attributes import CERTAIN, FourStates, GilbertElliott, Netem, NetemSlots, differences, unpack
from netweather.lines.netem_line import SECOND, holds_up, may_overflow, netem_for, unsupported, whole
from netweather.units import Duration, MeanLength, Packets, Percent, Rate, Size
from tests.unit.conditions.strategies import states

MS = 10**6
HALF = Percent(5 * 10**8)


def delay(ms: float, **more: Any) -> Delay:
    return Delay(Duration(round(ms * MS)), **more)


def test_a_plain_delay() -> None:
    made = netem_for(Condition(delay=delay(100)))
    assert (made.latency_ns, made.jitter_ns, made.delay_table, made.loss) == (100 * MS, 0, (), 0)
    assert unpack(made.pack()) == made


def test_jitter_has_its_table_uniform_too_since_none_can_be_taken_away() -> None:
    for distribution in ("uniform", "normal", "pareto", "paretonormal"):
        jitter = delay(100, jitter=Duration(5 * MS), correlation=HALF, distribution=distribution)
        made = netem_for(Condition(delay=jitter))
        assert made.jitter_ns == 5 * MS
        assert made.delay_corr == CERTAIN // 2 + 1
        assert len(made.delay_table) == 4096


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("-8192 0 8192")
    made = netem_for(Condition(delay=delay(9, jitter=Duration(MS), distribution=str(tmp_path / "own"))))
    assert made.delay_table == (-8192, 0, 8192)


def test_random_loss() -> None:
    made = netem_for(Condition(loss=LossRandom(Percent(10**9), HALF), ecn=True))
    assert (made.loss, made.loss_corr, made.ecn, made.model) == (CERTAIN, CERTAIN // 2 + 1, True, None)


def test_gemodel_and_bursts() -> None:
    loss = LossGemodel(p=Percent(10**7), r=Percent(10**8), loss_in_bad=Percent(8 * 10**8), loss_in_good=Percent(0))
    model = netem_for(Condition(loss=loss)).model
    assert model == GilbertElliott(
        Percent(10**7).of(CERTAIN), Percent(10**8).of(CERTAIN), CERTAIN - Percent(8 * 10**8).of(CERTAIN), 0
    )
    burst = LossBurst(MeanLength(5000), Percent(2 * 10**7))
    assert netem_for(Condition(loss=burst)) == netem_for(Condition(loss=burst.as_gemodel()))


@given(states())
def test_the_kernel_can_add_the_chances_of_states(loss: LossState) -> None:
    model = netem_for(Condition(loss=loss)).model
    assert isinstance(model, FourStates)
    assert model.p13 + model.p14 <= CERTAIN
    assert model.p31 + model.p32 <= CERTAIN


def test_faults() -> None:
    made = netem_for(Condition(delay=delay(1), duplicate=Duplicate(HALF), corrupt=Corrupt(HALF), reorder=Reorder(HALF, gap=5)))
    assert made.duplicate == made.corrupt == made.reorder == CERTAIN // 2 + 1
    assert made.gap == 5


def test_rate_in_bytes_and_never_zero_unless_asked() -> None:
    def rate(bits: int) -> int:
        return netem_for(Condition(rate=RateLimit(Rate(bits), overhead=14))).rate

    assert [rate(0), rate(1), rate(8), rate(12), rate(10**7)] == [0, 1, 1, 2, 1_250_000]
    assert netem_for(Condition(rate=RateLimit(Rate(8), overhead=-5))).packet_overhead == -5


def test_slots() -> None:
    slot = Slot(Duration(MS), Duration(2 * MS), Packets(32), Size(2**40))
    assert netem_for(Condition(slot=slot)).slots == NetemSlots(MS, 2 * MS, 32, 2**31 - 1)
    assert netem_for(Condition(slot=Slot(Duration(MS)))).slots == NetemSlots(MS, MS)


def test_the_limit_is_enough_for_what_is_on_its_way() -> None:
    assert netem_for(Condition(delay=delay(0))).limit == 10_000
    assert netem_for(Condition(delay=delay(200))).limit > 10**10 * 0.2 / (1514 * 8) - 1
    assert netem_for(Condition(delay=delay(200), rate=RateLimit(Rate(10**8)))).limit == 9908  # 1.2 s of full packets
    assert netem_for(Condition(rate=RateLimit(Rate(9600)))).limit == 10
    assert netem_for(Condition(delay=delay(10**6))).limit == 1_000_000
    assert netem_for(Condition(limit=Packets(5))).limit == 5


def test_a_queue_may_be_full_when_that_was_asked_for() -> None:
    assert not may_overflow(netem_for(Condition(delay=delay(200))))
    assert may_overflow(netem_for(Condition(rate=RateLimit(Rate(10**6)))))
    assert may_overflow(netem_for(Condition(slot=Slot(Duration(MS)))))
    assert may_overflow(netem_for(Condition(delay=delay(200), limit=Packets(5))))


def test_directions_have_seeds_of_their_own() -> None:
    asked = Condition(loss=LossRandom(HALF), seed=2**64 - 1)
    there, back = netem_for(asked), netem_for(asked, "ingress")
    assert there.seed == 2**64 - 1
    assert back.seed not in (None, there.seed)
    assert len(differences(there, back)) == 1


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        (Condition(block="drop"), "block"),
        (Condition(profile="3g"), "profile"),
        (Condition(loss=LossEvery(3)), "number"),
        (Condition(loss=LossList((1, 2))), "number"),
        (Condition(queue="codel"), "codel"),
        (Condition(mtu=1300), "MTU"),
        (Condition(trace="./t"), "trace"),
        (Condition(limit=Size(9)), "bytes"),
        (Condition(seed=1), "seed"),
        (Condition(delay=delay(9, jitter=Duration(2**31))), "2.147"),
        (Condition(delay=delay(9, jitter=Duration(MS), keep_order=True)), "reorders"),
        (Condition(delay=delay(9, jitter=Duration(MS), correlation=HALF)), "follows nothing"),
    ],
)
def test_what_netem_can_not_do_is_told(condition: Condition, word: str) -> None:
    (reason,) = unsupported(condition)
    assert word in reason


def test_what_netem_can_do() -> None:
    everything = Condition(
        delay=delay(50, jitter=Duration(MS), distribution="normal", keep_order=True),
        loss=LossBurst(MeanLength(2000), Percent(10**7)),
        duplicate=Duplicate(HALF),
        corrupt=Corrupt(HALF),
        reorder=Reorder(HALF),
        rate=RateLimit(Rate(10**6)),
        limit=Packets(100),
        queue="droptail",
        slot=Slot(Duration(MS)),
        ecn=True,
        seed=7,
    )
    assert unsupported(replace(everything, slot=None), seeds=True) == []
    assert unsupported(replace(everything, seed=None), seeds=True) == []
    assert unpack(netem_for(everything).pack()) == netem_for(everything)


def test_only_a_plain_delay_takes_packets_whole() -> None:
    assert whole(Condition(delay=delay(5)))
    assert whole(Condition())
    assert not whole(Condition(delay=delay(5, jitter=Duration(1))))
    assert not whole(Condition(delay=delay(5), loss=LossRandom(HALF)))
    assert not whole(Condition(rate=RateLimit(Rate(1))))


@pytest.mark.parametrize(
    ("old", "held", "new", "holds"),
    [
        (Netem(rate=1200, limit=200), 100, Netem(rate=12_500_000, limit=10_000), True),
        (Netem(rate=1200, limit=200), 0, Netem(rate=12_500_000, limit=10_000), False),
        (Netem(rate=12_500_000, limit=10_000), 100, Netem(rate=1200, limit=10), True),  # its queue is full with what it holds
        (Netem(rate=12_500_000, limit=10_000), 100, Netem(rate=6_250_000, limit=10_000), False),
        (
            Netem(latency_ns=20 * SECOND, limit=10_000),
            5,
            Netem(latency_ns=10**7, limit=10_000),
            False,
        ),  # netem sorts by departure
        (Netem(latency_ns=20 * SECOND, limit=10_000), 5, Netem(latency_ns=10**7, rate=10**6, limit=10_000), True),
        (Netem(latency_ns=20 * SECOND, limit=10**6), 9000, Netem(latency_ns=10**7, limit=10_000), True),
    ],
)
def test_which_change_needs_a_line_beside(old: Netem, held: int, new: Netem, holds: bool) -> None:
    assert holds_up(old, held, new) is holds


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        (Condition(loss=LossState(Percent(10**7), Percent(10**8))), "four states"),
        (Condition(slot=Slot(Duration(MS)), seed=1), "ignore the seed"),
        (Condition(slot=Slot(Duration(3 * SECOND))), "overflow"),
        (Condition(slot=Slot(Duration(MS), Duration(3 * SECOND))), "overflow"),
    ],
)
def test_netems_own_defects_are_the_pumps_to_do(condition: Condition, word: str) -> None:
    """Also where this kernel's netem takes a seed."""
    (why,) = unsupported(condition, seeds=True)
    assert word in why


def test_what_is_near_a_defect_stays_with_netem() -> None:
    assert unsupported(Condition(slot=Slot(Duration(2 * SECOND)))) == []
    assert unsupported(Condition(delay=delay(10), seed=1), seeds=True) == []
