"""Kinds of expectation: what may stand below `expect` in cases.yaml, and how its interval follows from packets, figure and ALPHA.

Each kind says which traffic it is of, whether it looks at time (then the case runs alone), and how many checks of ALPHA it makes.
A check that does not hold raises Refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from netweather.units import Duration, Percent, Rate
from tests.fidelity import model
from tests.fidelity.traffic import CE, GARBLED, HEADERS, Answers, Ints, Packets, RoundTrips
from tests.support.statistics import (
    ALPHA,
    EARLY_NS,
    LATE_NS,
    expect,
    expect_geometric,
    expect_near,
    expect_share,
    runs,
)
from tests.support.traffic import Transfer

MS = 1_000_000
NEVER = 2**62
RATE_WITHIN = 0.03
SIGMAS = float(stats.norm.isf(ALPHA / 2))
SURE = 1.2
"""The spread of a model is itself known from its runs to a few per cent only."""
Check = Callable[[Any, Any, float], None]


@dataclass(frozen=True)
class Kind:
    """A kind of expectation. of: the traffic's kind. chances: checks of ALPHA in one evaluation, at most."""

    name: str
    of: str
    timing: bool
    chances: int
    check: Check


KINDS: dict[str, Kind] = {}
CLEAN: dict[str, dict[str, Any]] = {
    "packets": {"lost": 0, "duplicated": 0, "corrupted": 0, "marked": 0, "order": "kept"},
    "tcp": {"intact": True},
}
"""What holds unless a case says otherwise: nothing happens that wasn't asked for."""


def kind(of: str = "packets", *, timing: bool = False, chances: int = 0) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        name = check.__name__.rstrip("_")
        KINDS[name] = Kind(name, of, timing, chances, check)
        return check

    return register


def ns(text: str) -> int:
    return Duration.parse(text).ns


def share(text: str) -> float:
    return float(Percent.parse(text).fraction)


def bits(text: str) -> int:
    return Rate.parse(text).bits_per_second


# Delay


def _expect_late(late_ns: float, slow: float, what: str) -> None:
    expect(late_ns < LATE_NS * slow, f"{what} is {late_ns / MS:.3f} ms late")


@kind(timing=True)
def delay(seen: Packets, asked: str, slow: float) -> None:
    """No packet is early, and half of them are hardly late."""
    expect(len(seen.delays) > 0, "nothing arrived")
    _expect_span(seen.delays, ns(asked), slow)


def _expect_span(delays: Ints, asked: int, slow: float) -> None:
    expect(int(delays.min()) >= asked - EARLY_NS, f"early: {delays.min() / MS:.3f} ms of {asked / MS} ms")
    _expect_late(float(np.median(delays)) - asked, slow, f"the median of {asked / MS} ms")


@kind(timing=True)
def soonest(seen: Packets, asked: str, slow: float) -> None:
    """The first packet over a link waits for nobody, so it shows the delay and its own time on the link."""
    found = int(seen.delays.min())
    expect(found >= ns(asked) - EARLY_NS, f"early: {found / MS:.3f} ms of {asked}")
    _expect_late(found - ns(asked), slow, f"the soonest packet of {asked}")


@kind(timing=True, chances=2)
def jitter(seen: Packets, asked: dict[str, str], slow: float) -> None:
    """By Dvoretzky, Kiefer, Wolfowitz and Massart, either way, but for 2 ms that a packet may be late."""
    delays = np.sort(seen.delays).astype(float)
    cdf = model.cdf(asked["distribution"], ns(asked["time"]), ns(asked["jitter"]))
    most = float(np.sqrt(np.log(2 / ALPHA) / (2 * len(delays))))
    above = np.arange(1, len(delays) + 1) / len(delays) - cdf(delays + EARLY_NS)
    below = cdf(delays - 2 * MS * slow) - np.arange(len(delays)) / len(delays)
    expect(above.max() < most, f"too many are quick: {above.max():.4f} more than {asked}, {most:.4f} at most")
    expect(below.max() < most, f"too many are slow: {below.max():.4f} more than {asked}, {most:.4f} at most")


@kind(timing=True, chances=6)
def quantiles(seen: Packets, asked: dict[str, str], slow: float) -> None:
    """So many of the packets are below; at most three of them."""
    for part, value in asked.items():
        low, high = _interval(len(seen.delays), share(part))
        soon = int((seen.delays < ns(value) - EARLY_NS).sum())
        late = int((seen.delays < ns(value) + LATE_NS * slow / 2).sum())
        expect(soon <= high and late >= low, f"{soon} to {late} of {len(seen.delays)} are below {value}, not {low} to {high}")


def _interval(count: int, chance: float) -> tuple[int, int]:
    return int(stats.binom.ppf(ALPHA / 2, count, chance)), int(stats.binom.isf(ALPHA / 2, count, chance))


@kind(timing=True, chances=4)
def clusters(seen: Packets, asked: dict[str, str], slow: float) -> None:
    """Delays of a table with a few values, each with its share."""
    near, values = 0, sorted(ns(value) for value in asked)
    apart = min((after - before for before, after in itertools.pairwise(values)), default=NEVER)
    for value, part in asked.items():
        close = (seen.delays >= ns(value) - EARLY_NS) & (seen.delays < ns(value) + min(LATE_NS * slow, apart - EARLY_NS))
        near += int(close.sum())
        low, high = _interval(seen.count, share(part))
        late = seen.count // 100  # may be late beyond all of them
        expect(low - late <= close.sum() <= high + late, f"{close.sum()} of {seen.count} near {value}, not {low} to {high}")
    expect(near >= seen.count * 0.98, f"only {near} of {seen.count} are near any of {', '.join(asked)}")


@kind(timing=True, chances=2)
def follows(seen: Packets, asked: dict[str, str], slow: float) -> None:
    """Each delay follows the one before it; netem's way narrows the spread too."""
    chance, wanted = share(asked["correlation"]), asked.get("distribution", "uniform")
    by_number = np.empty(seen.count)
    by_number[seen.number[seen.right]] = seen.delays
    found = float(np.corrcoef(by_number[:-1], by_number[1:])[0, 1])
    room = SIGMAS * (1 - chance**2) / np.sqrt(seen.count) + 0.01 * slow
    expect(abs(found - chance) < room, f"correlation {found:.3f}, not {chance} within {room:.3f}")
    spread = model.deviation(wanted, chance, ns(asked["jitter"]))
    room = SIGMAS / np.sqrt(2 * seen.count) * np.sqrt((1 + chance**2) / (1 - chance**2)) + 0.02 * slow
    expect_near(float(np.std(by_number)), spread, room)


@kind()
def order(seen: Packets, asked: str, slow: float) -> None:
    """kept, broken, or any."""
    kept = bool((np.diff(seen.number[seen.right]) >= 0).all())
    expect(asked == "any" or kept == (asked == "kept"), "the order is kept" if kept else "packets overtook others")


@kind(timing=True, chances=4)
def overtaken(seen: Packets, asked: dict[str, Any], slow: float) -> None:
    """Packets that were sent at once: never within the gap, then with the chance asked (or as correlated numbers fall)."""
    found = np.sort(seen.number[seen.right][seen.delays < ns(asked["delay"]) / 2])
    gap, chance = asked.get("gap", 1), share(asked["chance"])
    if "correlation" in asked:
        _like([int(n) for n in found], model.correlated(share(asked["correlation"]), seen.count) < chance)
        return
    waits = np.diff(found, prepend=-1) - (gap - 1)
    expect(len(waits) > 0 and waits.min() >= 1, f"{len(found)} overtook, some within a gap of {gap}")
    expect_geometric(waits.tolist(), chance) if chance < 1 else expect(bool((waits == 1).all()), "some that should didn't")


# Which packets


def _hits(found: Sequence[int], seen: Packets, asked: Any) -> None:
    """Packets that something happened to, as asked in one of the ways of docs/reference/fidelity.md."""
    if asked == "any":
        return
    if isinstance(asked, dict):
        _hits_of_model(found, seen, asked)
    elif share(str(asked) if asked else "0%") in (0.0, 1.0):
        wanted = round(share(str(asked) if asked else "0%")) * seen.count
        expect(len(found) == wanted, f"{len(found)} of {seen.count}, not {wanted}")
    else:
        expect_share(len(found), seen.count, share(asked))
        expect_geometric(runs(found), 1 - share(asked))


def _hits_of_model(found: Sequence[int], seen: Packets, asked: dict[str, Any]) -> None:
    values = {key: share(value) for key, value in asked.items() if isinstance(value, str) and value.endswith("%")}
    match asked:
        case {"least": _, "most": _}:
            least, most = seen.count * values["least"], seen.count * values["most"]
            expect(least <= len(found) <= most, f"{len(found)} of {seen.count}, not {least:.0f} to {most:.0f}")
        case {"numbers": numbers}:
            expect(list(found) == [number - 1 for number in numbers], f"numbers {[n + 1 for n in found[:9]]}, not {numbers[:9]}")
        case {"every": every}:
            expect(list(found) == list(range(every - 1, seen.count, every)), f"not every {every}th: {list(found[:9])}")
        case {"over": length}:
            large = np.flatnonzero(seen.sizes + HEADERS[seen.family] > length)
            expect(list(found) == large.tolist(), f"{len(found)} lost, {len(large)} are over {length} bytes")
        case {"length": length}:  # whole bursts, told by their mean length and the chance that one begins
            bursts = runs(found)
            expect_share(len(bursts), seen.count - len(found), values["start"])
            expect_geometric(bursts, 1 / length)
        case {"correlation": _}:
            _like(found, model.correlated(values["correlation"], seen.count) < values["chance"])
        case {"p": _}:
            _like(found, model.gilbert_elliott(*(values[key] for key in ("p", "r", "bad", "good")), seen.count))
        case {"p13": _}:
            _like(found, model.four_states(*(values[key] for key in ("p13", "p31", "p32", "p23", "p14")), seen.count))
        case _:
            raise KeyError(f"no such expectation: {asked}")


def _like(found: Sequence[int], runs_of_model: model.Bools) -> None:
    """As many packets, and in as many runs, as the model's, by its own mean and spread."""
    figures = {"packets": (len(found), runs_of_model.sum(axis=1)), "runs": (len(runs(found)), model.starts(runs_of_model))}
    for what, (figure, of_model) in figures.items():
        mean, room = float(of_model.mean()), SIGMAS * SURE * float(of_model.std())
        expect(abs(figure - mean) <= room, f"{figure} {what}, not {mean - room:.0f} to {mean + room:.0f}")


@kind(chances=2)
def lost(seen: Packets, asked: Any, slow: float) -> None:
    """Packets that never came."""
    _hits(seen.lost, seen, asked)


@kind(chances=2)
def duplicated(seen: Packets, asked: Any, slow: float) -> None:
    """Packets that came twice."""
    expect(int(seen.copies.max(initial=0)) <= 2, "a packet came more than twice")
    _hits(np.flatnonzero(seen.copies == 2).tolist(), seen, asked)


@kind(chances=3)
def corrupted(seen: Packets, asked: Any, slow: float) -> None:
    """Packets with one bit wrong; those with the bit in a header seldom arrive, so that what's missing is counted too."""
    flips = seen.flipped[seen.number == GARBLED]
    expect(bool((flips == 1).all()), f"not one bit: {sorted(set(flips.tolist()))}")
    if not asked:
        expect(len(flips) == 0, f"{len(flips)} are garbled")
        return
    _hits(seen.lost, seen, asked)
    missing, header = len(seen.lost) - len(flips), HEADERS[seen.family]
    most = _interval(len(seen.lost), header / (header + float(seen.sizes.mean())))[1]
    expect(missing <= most, f"{missing} of {len(seen.lost)} never came, {most} at most have the bit in a header")


@kind(chances=2)
def marked(seen: Packets, asked: Any, slow: float) -> None:
    """Packets that say that they met congestion (ECN)."""
    _hits(np.sort(seen.number[seen.right][seen.tos[seen.right] & 3 == CE]).tolist(), seen, asked)


@kind()
def arrived(seen: Packets, asked: int | dict[str, int], slow: float) -> None:
    """How many, as a number or least and most."""
    least, most = (asked, asked) if isinstance(asked, int) else (asked["least"], asked["most"])
    count = seen.count - len(seen.lost)
    expect(least <= count <= most, f"{count} of {seen.count} arrived, not {least} to {most}")


@kind()
def again(seen: Sequence[Packets], asked: Sequence[dict[str, Any]], slow: float) -> None:
    """The same packets are lost, garbled and copied another time, or others. A share: of those lost or garbled, so many are the same."""
    first, *others = seen
    for one, which in zip(others, asked, strict=True):
        told = f"{which}: {first.lost[:5]}… and {one.lost[:5]}…"
        if isinstance(which["same"], str):
            lost, again = set(first.lost), set(one.lost)
            expect(len(lost & again) >= share(which["same"]) * len(lost | again), told)
        else:
            expect(bool((one.copies == first.copies).all()) == which["same"], told)


# Speed


@kind(timing=True)
def rate(seen: Packets, asked: str | dict[str, Any], slow: float) -> None:
    """On the wire, from the first arrival to the last. bytes: what each packet counts besides IP's, 14 of Ethernet unless given."""
    spec: dict[str, Any] = asked if isinstance(asked, dict) else {"bitrate": asked}
    found = seen.rate_with(spec.get("bytes", 14))
    if "most" in spec:
        expect(bits(spec["least"]) / slow <= found <= bits(spec["most"]), f"{found / 1e6:.1f} Mbit/s, not {spec}")
        return
    expect_near(found, bits(spec["bitrate"]), share(spec.get("within", "3%")) * slow)


@kind("tcp", timing=True)
def throughput(seen: Transfer, asked: str | dict[str, str], slow: float) -> None:
    """Of a bulk transfer, as frames of 1514 bytes on the wire."""
    spec = asked if isinstance(asked, dict) else {"bitrate": asked}
    wire = seen.size * 8 * 1514 / seen.sender.mss / seen.seconds
    expect_near(wire, bits(spec["bitrate"]), share(spec.get("within", "3%")) * slow)


@kind(timing=True)
def slots(seen: Packets, asked: dict[str, Any], slow: float) -> None:
    """Batches: none sooner than `least` after the one before, half of them hardly later than `most`; packets: in each at most."""
    gaps = np.diff(seen.arrived)
    edges = np.flatnonzero(gaps > ns(asked["least"]) // 2)
    between = np.diff(seen.arrived[edges + 1])
    sizes = np.diff(edges)
    expect(len(between) >= 8, f"{len(between) + 2} batches only")
    soon = float(np.quantile(between, 0.1))  # one that is late makes the next gap a short one
    expect(soon > ns(asked["least"]) - MS * slow, f"a tenth of the batches are within {soon / MS:.3f} ms")
    _expect_late(float(np.median(between)) - ns(asked["most"]), slow / 2, f"half of the batches, {asked['most']} apart,")
    expect(sizes.max() > 1 or asked.get("packets") == 1, "no batches: packets come one by one")
    largest = sizes.max() if slow == 1 else np.quantile(sizes, 0.9)  # emulated, a late batch may come with the next one
    expect(largest <= asked.get("packets", seen.count), f"a batch of {largest:g}")


@kind(timing=True)
def spacing(seen: Packets, asked: str, slow: float) -> None:
    """Packets come so far apart, on average and mostly."""
    gaps = np.diff(seen.arrived)
    expect_near(float(gaps.mean()), ns(asked), 0.03 * slow)
    expect_near(float(np.median(gaps)), ns(asked), 0.10 * slow)


@kind(timing=True)
def over_time(seen: Packets, asked: dict[str, Any], slow: float) -> None:
    """What each part of a trace's period does; where the period begins is what fits best, since only the pump knows."""
    period, guard = ns(asked["period"]), ns(asked.get("guard", "20ms"))
    attempts = (
        _misfit(seen, asked["rows"], period, guard, offset)
        for offset in range(int(seen.sent[0] - period), int(seen.sent[0]), max(MS, period // 200))
    )
    worst, what = min(attempts)
    expect(worst < share(asked.get("within", "10%")) * slow, f"at best {worst:.1%} off: {what}")


def _misfit(seen: Packets, rows: list[dict[str, str]], period: int, guard: int, offset: int) -> tuple[float, str]:
    worst, what = -1.0, ""
    for row in rows:
        begin, end = ns(row["from"]) + guard, ns(row["to"]) - guard
        for key, value in row.items():
            if key in ("from", "to"):
                continue
            found = _FITS[key](seen, lambda times, b=begin, e=end: _within(times, offset, period, b, e), end - begin, period)
            wrong = abs(found - _WANTED[key](value)) / (_WANTED[key](value) or 1)
            worst, what = max((worst, what), (float(wrong), f"{key} {value} from {row['from']} was {found:.6g}"))
    return worst, what


def _within(times: Ints, offset: int, period: int, begin: int, end: int) -> Any:
    phase = (times - offset) % period
    return (phase >= begin) & (phase < end)


def _fit_rate(seen: Packets, chosen: Callable[[Ints], Any], length: int, period: int) -> float:
    """Over whole periods only."""
    span = int(seen.arrived[-1] - seen.arrived[0]) // period * period
    whole = seen.arrived < seen.arrived[0] + span
    inside = chosen(seen.arrived) & whole
    total = 8 * float((seen.sizes[seen.number[inside]] + HEADERS[seen.family] + 14).sum())
    return total * 1e9 / (length * max(1, span // period))


def _fit_delay(seen: Packets, chosen: Callable[[Ints], Any], length: int, period: int) -> float:
    inside = chosen(seen.sent[seen.number[seen.right]])
    return float(np.median(seen.delays[inside])) if inside.any() else 0.0


def _fit_lost(seen: Packets, chosen: Callable[[Ints], Any], length: int, period: int) -> float:
    inside = chosen(seen.sent)
    return float((seen.copies[inside] == 0).mean()) if inside.any() else 1.0


_FITS: dict[str, Any] = {"rate": _fit_rate, "delay": _fit_delay, "lost": _fit_lost}
_WANTED: dict[str, Any] = {"rate": bits, "delay": ns, "lost": share}


@kind(timing=True)
def standing(seen: Packets, asked: str, slow: float) -> None:
    """The delay that a queue settles at: the median of the second half."""
    expect_near(float(np.median(seen.delays[len(seen.delays) // 2 :])), ns(asked), 0.1 * slow)


@kind(timing=True)
def codel(seen: Packets, asked: dict[str, Any], slow: float) -> None:
    """As many drops (or marks), and the same delay, as RFC 8289's algorithm has for just these packets."""
    size = float(seen.sizes.mean()) + HEADERS[seen.family] + 14
    marks = bool(asked.get("marks"))
    delays, hits = model.codel((seen.sent - seen.sent[0]).tolist(), 8 * size, bits(asked["rate"]), marks=marks)
    found = int((seen.tos & 3 == CE).sum()) if marks else len(seen.lost)
    expect(hits > 10, f"the model itself has only {hits}")
    expect(abs(found - hits) <= max(3, 0.1 * hits) * slow, f"{found} of {seen.count}, not about {hits}")
    half = len(seen.delays) // 2
    expect_near(float(np.median(seen.delays[half:])), float(np.median(delays[len(delays) // 2 :])), 0.1 * slow)


# TCP, round trips, answers


@kind("tcp")
def intact(seen: Transfer, asked: bool, slow: float) -> None:
    expect(seen.intact == asked, "the bytes that arrived are others" if asked else "all bytes arrived")


@kind("tcp", chances=1)
def wire_lost(seen: Transfer, asked: str, slow: float) -> None:
    """Segments with data, by what either end's TCP counted."""
    expect_share(seen.wire_lost, seen.sender.data_segments_out, share(asked))


@kind("echo", timing=True)
def rtt(seen: RoundTrips, asked: str, slow: float) -> None:
    """None is quicker, and half of them are hardly slower; UDP's and TCP's."""
    for each in (seen.udp, seen.tcp):
        _expect_span(np.array([round(one * 1e9) for one in each]), ns(asked), 2 * slow)


@kind("knock")
def answers(seen: Answers, asked: dict[str, str], slow: float) -> None:
    """open, refused or silence, by tcp and by udp."""
    found = {"tcp": seen.tcp, "udp": seen.udp}
    expect(found == asked, f"{found}, not {asked}")
