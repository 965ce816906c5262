"""A condition as what somebody would type behind `tc qdisc add dev … root netem`. Written from tc's manual page, not from our codec.

Only what tc takes: the seed is newer than the tc of many systems, and a share of nothing is left out, since tc refuses 0 %.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from netweather.conditions import Condition, LossBurst, LossGemodel, LossRandom, LossState
from netweather.conditions.loss import Loss
from netweather.units import Duration, Percent


def words(condition: Condition, limit: int, tables: Path) -> list[str]:
    """limit: of the queue, in packets, since tc has one of its own. tables: a folder for TC_LIB_DIR, where tc looks for distributions."""
    return ["limit", str(limit), *_parts(condition, tables)]


def _parts(condition: Condition, tables: Path) -> Iterator[str]:
    if condition.delay is not None:
        delay = condition.delay
        yield from ("delay", _time(delay.time))
        if delay.jitter.ns:
            yield from (
                _time(delay.jitter),
                *_share(delay.correlation),
                *_distribution(delay.distribution, tables),
            )
    if condition.loss is not None:
        yield from _loss(condition.loss)
    for name in ("duplicate", "corrupt", "reorder"):
        asked = getattr(condition, name)
        if asked is not None and asked.percent.ppb:
            yield from (name, *_share(asked.percent), *_share(asked.correlation))
    if condition.reorder is not None and condition.reorder.gap > 1:
        yield from ("gap", str(condition.reorder.gap))
    if condition.rate is not None and condition.rate.bitrate.bits_per_second:
        yield from ("rate", f"{condition.rate.bitrate.bits_per_second}bit", str(condition.rate.overhead))
    if condition.ecn:
        yield "ecn"
    if condition.slot is not None:
        yield from ("slot", _time(condition.slot.minimum), _time(condition.slot.maximum or condition.slot.minimum))
        if condition.slot.packets is not None:
            yield from ("packets", str(condition.slot.packets.count))
        if condition.slot.bytes is not None:
            yield from ("bytes", str(condition.slot.bytes.bytes))


def _loss(loss: Loss) -> Iterator[str]:
    match loss:
        case LossRandom(percent, correlation):
            if percent.ppb:
                yield from ("loss", *_share(percent), *_share(correlation))
        case LossBurst(length, share):
            r, lost = 1000 / length.thousandths, share.ppb / 1e9
            yield from ("loss", "gemodel", _percent(r * lost / (1 - lost)), _percent(r), "100%", "0%")
        case LossGemodel(p, r, bad, good):
            yield from ("loss", "gemodel", *(_percent(each.ppb / 1e9) for each in (p, r, bad, good)))
        case LossState(p13, p31, p32, p23, p14):
            yield from ("loss", "state", *(_percent(each.ppb / 1e9) for each in (p13, p31, p32, p23, p14)))
        case _:
            raise ValueError(f"tc has no words for {loss}")


def _distribution(name: str, tables: Path) -> tuple[str, ...]:
    """tc's own name of a distribution, but uniform has none; a table of ours is put where tc finds it."""
    if "/" in name:
        shutil.copy(name, tables / f"{Path(name).stem}.dist")
    return ("distribution", Path(name).stem) if name != "uniform" else ()


def _time(duration: Duration) -> str:
    return f"{duration.ns / 1000:.3f}us"


def _share(percent: Percent) -> Iterator[str]:
    if percent.ppb:
        yield _percent(percent.ppb / 1e9)


def _percent(share: float) -> str:
    return f"{share * 100:.9f}%"
