"""The null measurement's figures; its packets are tests/kernel/kernel/traffic/test_bypass.py's."""

from __future__ import annotations

import math

import pytest

from netweather.conditions import load_condition
from netweather.kernel.traffic.probe_packets import ProbeResult
from netweather.measure import Figure, Measured, Null, Verdict, expect, in_words
from netweather.measure.evidence import ConditionEvidence
from netweather.measure.null_measurement import LEAST, PACKETS, null_count, of_arrivals, of_times, with_errors
from netweather.measure.statistics import Interval

DELAY = Figure("delay", "egress", "s", 0.05, 0.0502, Interval(0.0501, 0.0505), Verdict.PASS, 400)
LOSS = Figure("loss", "egress", "share", 0.1, 0.1, Interval(0.08, 0.12), Verdict.PASS, 400)
NULL = Null("egress", 0.0002, Interval(0.0001, 0.0003), 200, 4)


def test_the_median_its_interval_and_what_was_lost() -> None:
    found = of_times("egress", [number / 1e6 for number in range(100)], 120)
    assert (found.seen, found.samples, found.lost) == (pytest.approx(50e-6), 120, 20)
    assert found.interval is not None
    assert found.interval.low < 50e-6 < found.interval.high


def test_a_packet_counts_once_and_none_at_all_says_so() -> None:
    arrivals = ProbeResult((0, 1000, 2000), ((1, 1000, 3000), (1, 1000, 9000), (0, 0, 1000)))
    assert (of_arrivals("egress", arrivals).samples, of_arrivals("egress", arrivals).lost) == (3, 1)
    silent = of_arrivals("ingress", ProbeResult((0, 1), ()))
    assert (silent.seen, silent.lost, "did not answer" in silent.why) == (None, 2, True)
    assert "clock" in of_arrivals("egress", ProbeResult((0,), ((0, 0, 1),), stepped=True)).why


def test_a_figures_error_is_that_of_the_difference() -> None:
    delay, loss, other = with_errors([DELAY, LOSS, Figure("rate", "egress", "bit/s", 1.0, 1.0, None, Verdict.PASS)], [NULL])
    assert (delay.without, delay.error) == (0.0002, pytest.approx((0.0004 + 0.0002) / 2))
    assert (loss.without, loss.error) == (pytest.approx(0.02), None)
    assert (other.without, other.error) == (None, None)


def test_what_has_no_bounds_has_no_error() -> None:
    wide = Figure("delay", "egress", "s", 0.05, 0.05, Interval(-math.inf, math.inf), Verdict.CANT_TELL, 8)
    (found,) = with_errors([wide], [NULL])
    assert (found.without, found.error) == (0.0002, None)
    assert with_errors([DELAY], [Null("egress", None, None, why="no right to it"), Null("ingress", 0.1, NULL.interval, 5)]) == [
        DELAY
    ]


def test_a_slow_line_is_not_filled() -> None:
    ways = {rate: [expect(load_condition({"rate": rate}))] for rate in ("9600bit", "64kbit", "1gbit")}
    assert [null_count(each, PACKETS) for each in ways.values()] == [LEAST, 22, PACKETS]
    assert null_count([expect(load_condition({}))], 31) == 31


def test_evidence_tells_it_in_words() -> None:
    figures = tuple(with_errors([DELAY, LOSS], [NULL]))
    evidence = ConditionEvidence("netns:a", "default", {}, (), {}, (), (Measured(0, "probe", figures, 400, null=(NULL,)),))
    assert (figures[0].without, figures[0].error) == (0.0002, pytest.approx(0.0003))
    assert "delay egress: 50.2 ms ± 0.3 ms seen, 50 ms asked" in in_words(evidence)
    assert NULL.words() == "egress 0.2 ms (0.1 ms – 0.3 ms), 4 of 200 lost"
    assert Null("egress", None, None, why="no route").words() == "egress: no route"
