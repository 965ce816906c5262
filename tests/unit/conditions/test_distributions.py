from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.conditions import distributions
from netweather.conditions.distributions import (
    ENTRIES,
    HIGHEST,
    LOWEST,
    SCALE,
    delay_at,
    format_table,
    from_samples,
    load_table,
    parse_table,
    table_of,
)
from netweather.conditions.model import DISTRIBUTIONS
from netweather.errors import UsageError
from netweather.units import Duration


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_tables_are_what_netem_takes(name: str) -> None:
    table = table_of(name)
    assert len(table) == ENTRIES == 4096
    assert list(table) == sorted(table)
    assert all(LOWEST <= entry <= HIGHEST for entry in table)
    assert table_of(name) is table, "computed once"


@pytest.mark.parametrize(
    ("name", "mean", "deviation"),
    [("uniform", 0, 1 / math.sqrt(3)), ("normal", 0, 1), ("pareto", -0.033, 0.82), ("paretonormal", -0.021, 0.85)],
)
def test_tables_have_the_moments_they_are_said_to_have(name: str, mean: float, deviation: float) -> None:
    values = [entry / SCALE for entry in table_of(name)]
    assert statistics.fmean(values) == pytest.approx(mean, abs=0.001)
    assert statistics.pstdev(values) == pytest.approx(deviation, abs=0.005)


def test_the_normal_table_is_the_inverse_of_the_normal_distribution() -> None:
    exact = statistics.NormalDist()
    for index, entry in enumerate(table_of("normal")):
        assert entry == round(exact.inv_cdf((index + 0.5) / ENTRIES) * SCALE)


def test_the_pareto_table_by_its_closed_form() -> None:
    table = table_of("pareto")
    assert table[0] == pytest.approx((1 - 1.5) * 4 / 3 * SCALE, abs=2)
    assert table[ENTRIES // 2] == pytest.approx((2 ** (1 / 3) - 1.5) * 4 / 3 * SCALE, abs=3)
    assert table[-1] == HIGHEST, "the tail is cut at four jitters"


@pytest.mark.serial
def test_tables_are_quick() -> None:
    """A table takes less than 400 times as long as its 4,096 entries' exponentials."""

    def anew() -> None:
        distributions.table_of.cache_clear()
        distributions._normal.cache_clear()
        table_of(name)

    for name in DISTRIBUTIONS:
        entries = best_of(lambda: [math.exp(-number / ENTRIES) for number in range(ENTRIES)])
        assert best_of(anew) < 400 * entries, name


def best_of(work: Callable[[], object]) -> float:
    took = []
    for _ in range(7):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return min(took)


def test_a_name_that_is_not_known() -> None:
    with pytest.raises(UsageError) as raised:
        table_of("norml")
    assert raised.value.remedy == "did you mean 'normal'?"


@given(st.lists(st.integers(LOWEST, HIGHEST), min_size=2, max_size=50).map(tuple), st.text("abc \n#", max_size=20))
def test_the_text_format_reads_back(table: tuple[int, ...], comment: str) -> None:
    assert parse_table(format_table(table, comment)) == table


def test_tcs_own_format_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.dist"
    path.write_text("# made by hand\n -8192 0\n\n 8192 # the last\n")
    assert load_table(str(path)) == (-8192, 0, 8192)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 2\n3 x", "line 2: 'x'"),
        ("1 40000", "line 1: '40000'"),
        ("1 1.5", "'1.5'"),
        ("1 --2", "'--2'"),
        ("", "there are 0 entries"),
        ("5", "there are 1 entries"),
        ("1 " * 16385, "there are 16385 entries"),
    ],
)
def test_wrong_tables(text: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_table(text)
    assert raised.value.code == "bad-distribution"
    assert says in raised.value.what


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("missing", "binary", "."):
        with pytest.raises(UsageError) as raised:
            load_table(str(tmp_path / name))
        assert raised.value.code == "unreadable-file"


def test_samples_become_their_own_distribution() -> None:
    dice = random.Random(7)
    samples = [Duration(round(max(0, dice.gauss(50e6, 5e6)))) for _ in range(5000)]
    measured = from_samples(samples)
    assert measured.time.ns == pytest.approx(50e6, rel=0.01)
    assert measured.jitter.ns == pytest.approx(5e6, rel=0.05)
    assert measured.clipped == 0
    assert statistics.fmean(measured.table) == pytest.approx(0, abs=30)
    assert statistics.pstdev(measured.table) == pytest.approx(SCALE, rel=0.02)
    ordered = sorted(samples)
    for share in (0.1, 0.5, 0.9, 0.99):
        expected = ordered[int(share * len(ordered))].ns
        assert delay_at(measured.time, measured.jitter, measured.table, share).ns == pytest.approx(expected, rel=0.02)


def test_outliers_are_cut_and_counted() -> None:
    measured = from_samples([Duration(1)] * 999 + [Duration(10**9)])
    assert measured.clipped > 0
    assert max(measured.table) == HIGHEST


@pytest.mark.parametrize("samples", [[], [Duration(5)], [Duration(5)] * 10])
def test_samples_that_show_nothing(samples: list[Duration]) -> None:
    with pytest.raises(UsageError) as raised:
        from_samples(samples)
    assert raised.value.code == "bad-samples"


@given(st.lists(st.integers(0, 2**40), min_size=2, max_size=30).filter(lambda values: len(set(values)) > 1))
def test_any_samples_make_a_table(values: list[int]) -> None:
    measured = from_samples([Duration(value) for value in values])
    assert list(measured.table) == sorted(measured.table)
    assert parse_table(format_table(measured.table)) == measured.table


def test_delays_are_never_negative() -> None:
    assert delay_at(Duration(0), Duration(10), table_of("normal"), 0.0) == Duration(0)
    assert delay_at(Duration(10**6), Duration(0), table_of("normal"), 0.99) == Duration(10**6)
    assert delay_at(Duration(10**8), Duration(10**7), table_of("normal"), 0.5).ns == pytest.approx(10**8, rel=1e-4)
