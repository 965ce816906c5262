"""Which packets are lost: shares, bursts, exact models, seeds. A million virtual packets a case, false alarm 1e-6."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from netweather.lines.params import ONE, LineParams, LossModel
from tests.native.pump.core import MS, every, line, survivors

ALARM = 1e-6
COUNT = 300_000
Bools = npt.NDArray[np.bool_]


def percent(value: float) -> int:
    return round(value / 100 * ONE)


def losses(params: LineParams, count: int = COUNT) -> Bools:
    with line(params) as core:
        return ~survivors(core.run(every(1000, count)), count)


def random_loss(share: float, seed: int = 7) -> LineParams:
    return LineParams(seed=seed, loss_model=LossModel.RANDOM, loss_p=percent(share))


def gilbert(p: float, r: float, bad: float = 100, good: float = 0, seed: int = 7) -> LineParams:
    a = (percent(p), percent(r), percent(bad), percent(good), 0)
    return LineParams(seed=seed, loss_model=LossModel.GILBERT_ELLIOTT, loss_a=a)


def lengths(lost: Bools) -> npt.NDArray[np.int64]:
    """How long the runs of lost packets are."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], lost, [False])).astype(np.int8)))
    return edges[1::2] - edges[::2]


def assert_share(lost: Bools, share: float) -> None:
    """Independent losses: the binomial interval."""
    low, high = stats.binom.interval(1 - ALARM, len(lost), share)
    assert low <= lost.sum() <= high


def assert_mean(lost: Bools, share: float) -> None:
    """Losses that depend on each other within a block, not from one to the next but one."""
    means = lost[: len(lost) // 300 * 300].reshape(300, -1).mean(axis=1)
    error = means.std(ddof=1) / np.sqrt(len(means))
    assert abs(means.mean() - share) < stats.norm.isf(ALARM / 2) * error


def assert_geometric(found: npt.NDArray[np.int64], r: float) -> None:
    top = max(2, int(np.log(20 / len(found)) / np.log(1 - r)))  # the last bin still expects 20
    observed = np.bincount(np.minimum(found, top), minlength=top + 1)[1:]
    expected = stats.geom.pmf(np.arange(1, top + 1), r)
    expected[-1] = stats.geom.sf(top - 1, r)
    assert stats.chisquare(observed, expected * len(found)).pvalue > ALARM


@pytest.mark.parametrize("share", [0, 0.1, 1, 3, 25, 50, 100])
def test_share_of_random_loss(share: float) -> None:
    assert_share(losses(random_loss(share)), share / 100)


def test_random_loss_is_independent() -> None:
    assert_geometric(lengths(losses(random_loss(20))), 0.8)


@pytest.mark.parametrize(("p", "r", "bad", "good"), [(1, 10, 100, 0), (5, 50, 100, 0), (2, 20, 80, 1), (10, 10, 30, 5)])
def test_share_of_gilbert_elliott(p: float, r: float, bad: float, good: float) -> None:
    assert_mean(losses(gilbert(p, r, bad, good)), (p * bad + r * good) / (p + r) / 100)


@pytest.mark.parametrize(("p", "r"), [(1, 10), (2, 40), (5, 25)])
def test_lengths_of_gilbert_bursts(p: float, r: float) -> None:
    assert_geometric(lengths(losses(gilbert(p, r))), r / 100)


@pytest.mark.parametrize("factor", [0.7, 1.3])
@pytest.mark.parametrize("share", [0.5, 3, 25])
def test_planted_loss_is_caught(share: float, factor: float) -> None:
    with pytest.raises(AssertionError):
        assert_share(losses(random_loss(share * factor)), share / 100)


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_planted_burst_length_is_caught(factor: float) -> None:
    with pytest.raises(AssertionError):
        assert_geometric(lengths(losses(gilbert(2, 20 * factor))), 0.2)
    with pytest.raises(AssertionError):
        assert_mean(losses(gilbert(2 * factor, 20)), 2 / 22)


def state_share(p13: float, p31: float, p32: float, p23: float, p14: float) -> float:
    """What the four-state chain loses in the long run, solved instead of drawn."""
    step = np.array([
        [1 - p13 - p14, 0, p13, p14],
        [0, 1 - p23, p23, 0],
        [p31, p32, 1 - p31 - p32, 0],
        [1, 0, 0, 0],
    ])  # fmt: skip
    values, vectors = np.linalg.eig(step.T)
    stationary = np.real(vectors[:, np.argmin(abs(values - 1))])
    stationary /= stationary.sum()
    return float(stationary[0] * (p13 + p14) + stationary[1] * p23 + stationary[2] * (1 - p31 - p32))


@pytest.mark.parametrize(
    "chances", [(1, 20, 0, 100, 0), (1, 10, 5, 50, 1), (0.5, 5, 20, 30, 2), (3, 97, 0, 100, 0), (2, 30, 30, 10, 0)]
)
def test_share_of_four_states(chances: tuple[float, float, float, float, float]) -> None:
    params = LineParams(seed=3, loss_model=LossModel.STATE, loss_a=tuple(map(percent, chances)))  # type: ignore[arg-type]
    assert_mean(losses(params), state_share(*(c / 100 for c in chances)))


def test_burst_model_loses_whole_bursts() -> None:
    params = LineParams(seed=5, loss_model=LossModel.BURST, loss_p=percent(0.1), burst_min=3, burst_max=6)
    found = lengths(losses(params))
    observed = np.bincount(found, minlength=7)
    assert found.min() >= 3
    assert stats.chisquare(observed[3:7]).pvalue > ALARM
    assert observed[7:].sum() <= 5  # two bursts that touch


def test_every_nth() -> None:
    lost = losses(LineParams(loss_model=LossModel.NTH, nth_period=10, nth_offset=10), 1000)
    assert list(np.flatnonzero(lost)) == list(range(9, 1000, 10))


def test_list() -> None:
    lost = losses(LineParams(loss_model=LossModel.LIST, losses=(1, 3, 7, 900)), 1000)
    assert list(np.flatnonzero(lost) + 1) == [1, 3, 7, 900]


def test_list_repeats_with_a_period() -> None:
    lost = losses(LineParams(loss_model=LossModel.LIST, losses=(2, 5), list_period=5), 20)
    assert list(np.flatnonzero(lost) + 1) == [2, 5, 7, 10, 12, 15, 17, 20]


def test_correlation_is_netems() -> None:
    """AR(1) on the 32-bit draw: successive fates resemble each other as netem's do."""
    rho = round(0.5 * (ONE - 1))
    lost = losses(replace(random_loss(40), loss_rho=rho)).astype(float)
    again = np.corrcoef(lost[:-1], lost[1:])[0, 1]
    assert 0.25 < again < 0.45  # of the draw it is 0.5, of its threshold less
    plain = losses(random_loss(40)).astype(float)
    assert abs(np.corrcoef(plain[:-1], plain[1:])[0, 1]) < 0.01


def test_loss_marks_instead_when_asked() -> None:
    with line(replace(random_loss(100), loss_ecn=True)) as core:
        capable = core.run(every(1000, 100), tos=2)
        deaf = core.run(every(1000, 100), tos=0)
    assert len(capable) == 100
    assert capable["mark"].all()
    assert not len(deaf)


# Seeds ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [random_loss(10), gilbert(2, 20, 90, 1)])
def test_same_seed_same_packets(model: LineParams) -> None:
    assert (losses(model, 20_000) == losses(model, 20_000)).all()
    assert (losses(model, 20_000) != losses(replace(model, seed=8), 20_000)).any()


@pytest.mark.parametrize(
    "rest",
    [
        {"delay_ns": 5 * MS, "jitter_ns": 2 * MS},
        {"duplicate_p": ONE // 3},
        {"corrupt_p": ONE // 2},
        {"rate_bps": 10**11},
        {"delay_ns": MS, "reorder_p": ONE // 4, "gap": 3},
        {"slot_min_ns": MS},
        {"delay_ns": MS, "jitter_ns": MS, "duplicate_p": ONE // 5, "corrupt_p": ONE // 5, "reorder_p": ONE // 9},
    ],
    ids=lambda rest: "+".join(rest),
)
def test_what_is_lost_depends_on_nothing_else(rest: dict[str, int]) -> None:
    assert (losses(random_loss(10), 20_000) == losses(replace(random_loss(10), **rest), 20_000)).all()  # type: ignore[arg-type]


def test_change_of_other_parameters_does_not_restart_the_stream() -> None:
    whole = losses(random_loss(10), 20_000)
    with line(random_loss(10)) as core:
        first = core.run(every(1000, 10_000), drain=False)
        core.set(replace(random_loss(10), delay_ns=3 * MS), now=2 * 10**9)
        second = core.run(every(1000, 10_000, start=3 * 10**9))
    alive = survivors(np.concatenate((first, second)), 20_000)
    assert (alive == ~whole).all()


def test_new_seed_and_restart_begin_the_stream_anew() -> None:
    with line(random_loss(10, seed=1)) as core:
        one = ~survivors(core.run(every(1000, 5000)), 5000)
        core.set(random_loss(10, seed=2))
        core.run(every(1000, 5000))
        core.set(random_loss(10, seed=1))
        two = core.run(every(1000, 5000))["number"] - 10_000
        core.restart()
        three = core.run(every(1000, 5000))["number"] - 15_000
    assert (np.flatnonzero(~one) == two).all()
    assert (two == three).all()


def test_counting_models_begin_anew_when_they_change() -> None:
    nth = LineParams(loss_model=LossModel.NTH, nth_period=10, nth_offset=10)
    with line(nth) as core:
        core.run(every(1000, 15))
        core.set(replace(nth, delay_ns=1))
        kept = core.run(every(1000, 10))["number"]
        core.set(replace(nth, nth_period=5, nth_offset=5))
        anew = core.run(every(1000, 10))["number"]
    assert 19 not in kept
    assert set(range(25, 35)) - set(anew) == {29, 34}
