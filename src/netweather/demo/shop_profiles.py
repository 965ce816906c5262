"""The five networks of the demo, from the profiles; and what a customer asks for by each, in figures to compare with. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from netweather.conditions import Condition, LossBurst, Rule
from netweather.conditions.estimates.effects import bit_rate, mean_loss, quantiles
from netweather.conditions.profiles import find_profile

NETWORKS = (
    ("perfect", "perfect"),
    ("4G", "4g"),
    ("3G", "3g"),
    ("lossy Wi-Fi", "lossy-wifi"),
    ("satellite", "satellite"),
)
"""Names for people, and the profiles; from good to bad, so that the same connections see them get worse."""


@dataclass(frozen=True)
class Asked:
    """Figures of a condition. Times in ms, added by it; loss: 0 to 1, in each direction; rates in bits a second.

    follows: how much a packet's loss follows the one before it, as far as the model tells.
    """

    rtt_ms: float
    rtt_p95_ms: float
    loss: float
    follows: float
    rate_down: float | None
    rate_up: float | None


@dataclass(frozen=True)
class Network:
    """One network. rules: none for the perfect one, on which nothing is put at all."""

    name: str
    profile: str
    title: str
    source: str
    rules: tuple[Rule, ...]
    asked: Asked


def networks() -> list[Network]:
    """The five, in their order."""
    return [_network(name, profile) for name, profile in NETWORKS]


def _network(name: str, profile: str) -> Network:
    found = find_profile(profile)
    nothing = found.up == Condition() and found.down == Condition()
    rules = () if nothing else (Rule(condition=Condition(profile=profile)),)
    return Network(name, profile, found.title, found.source, rules, _asked(found.up, found.down))


def _asked(up: Condition, down: Condition) -> Asked:
    trips = sorted(there + back for there in quantiles(up.delay) for back in quantiles(down.delay))
    return Asked(
        rtt_ms=trips[len(trips) // 2] * 1e3,
        rtt_p95_ms=trips[int(len(trips) * 0.95)] * 1e3,
        loss=(mean_loss(up.loss) + mean_loss(down.loss)) / 2,
        follows=max(_follows(up), _follows(down)),
        rate_down=bit_rate(down),
        rate_up=bit_rate(up),
    )


def _follows(condition: Condition) -> float:
    """The correlation of neighbours in a chain with two states is 1 - p - r."""
    if not isinstance(condition.loss, LossBurst):
        return 0.0
    model = condition.loss.as_gemodel()
    return max(0.0, 1 - model.p.fraction - model.r.fraction)
