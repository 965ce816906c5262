"""The buttons in Scope: what each is called, and what it makes of the condition that the plugin has on a container. Pure.

The first five are those of Scope's own traffic-control plugin, with its ids, words, icons and ranks. Like there, a delay keeps the loss
and a loss the delay, and both are for what the container sends. A profile is a whole network: it replaces these, and they replace it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from netweather.conditions import Condition, Delay, LossRandom, Match, NetworkCondition, Profile, RateLimit, Rule
from netweather.units import Duration, Percent, Rate

NAME: Final = "traffic-control"
"""Of the condition that the plugin sets, one on each container."""
SUFFIX: Final = ";<container>"
"""Behind a container's id, makes Scope's node of it."""
_FIRST_PROFILE_RANK: Final = 40
_GOOD_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ICONS: Final = {
    "perfect": "fa-check", "blackhole": "fa-ban", "refused": "fa-ban", "flapping": "fa-chain-broken", "dial-up": "fa-phone",
    "airplane": "fa-plane", "dsl": "fa-home", "cable": "fa-home", "fiber": "fa-home", "transatlantic": "fa-globe",
    "intercontinental": "fa-globe", "home-wifi": "fa-wifi", "lossy-wifi": "fa-wifi", "geo-satellite": "fa-rocket",
    "leo-satellite": "fa-rocket", "voice-limit": "fa-microphone",
}  # fmt: skip


@dataclass(frozen=True)
class Wish:
    """What the plugin has on a container: a profile, or a delay and a loss of what it sends and a rate each way. Empty: nothing."""

    delay: Duration | None = None
    loss: Percent | None = None
    rate: Rate | None = None
    profile: str = ""

    def rules(self) -> tuple[Rule, ...]:
        """As rules; none when nothing is asked for."""
        if self == Wish():
            return ()
        if self.profile:
            return (Rule(condition=Condition(profile=self.profile)),)
        delay = None if self.delay is None else Delay(self.delay)
        loss = None if self.loss is None else LossRandom(self.loss)
        rate = None if self.rate is None else RateLimit(self.rate)
        sent = Rule(Match(direction="egress"), Condition(delay=delay, loss=loss, rate=rate))
        return (sent,) if rate is None else (sent, Rule(Match(direction="ingress"), Condition(rate=rate)))


def wish_of(condition: NetworkCondition | None) -> Wish:
    """What a condition says of what the container sends, as far as the plugin has a button for it."""
    sent = [rule.condition for rule in condition.rules if rule.match.direction != "ingress"] if condition else []
    if not sent:
        return Wish()
    first = sent[0]
    return Wish(
        delay=first.delay.time if first.delay else None,
        loss=first.loss.percent if isinstance(first.loss, LossRandom) else None,
        rate=first.rate.bitrate if first.rate else None,
        profile=first.profile or "",
    )


@dataclass(frozen=True)
class Control:
    """A button. change: what becomes of what the plugin has; an empty wish ends it. whole: it ends what others set, too."""

    id: str
    human: str
    icon: str
    rank: int
    change: Callable[[Wish], Wish]
    whole: bool = False
    confirmation: str = ""

    def plain(self) -> dict[str, str | int]:
        """As Scope's report has it."""
        more = {"confirmation": self.confirmation} if self.confirmation else {}
        return {"id": self.id, "human": self.human, "icon": self.icon, "rank": self.rank, **more}


def _delay(text: str) -> Callable[[Wish], Wish]:
    return lambda wish: replace(wish, delay=Duration.parse(text), profile="")


def _loss(text: str) -> Callable[[Wish], Wish]:
    return lambda wish: replace(wish, loss=Percent.parse(text), profile="")


def _rate(text: str) -> Callable[[Wish], Wish]:
    return lambda wish: replace(wish, rate=Rate.parse(text), profile="")


def _nothing(wish: Wish) -> Wish:
    return Wish()


LEGACY: Final = (
    Control("traffic-control-table-slow", "Traffic speed: slow", "fa-hourglass-1", 20, _delay("2000ms")),
    Control("traffic-control-table-medium", "Traffic speed: medium", "fa-hourglass-2", 21, _delay("1000ms")),
    Control("traffic-control-table-fast", "Traffic speed: fast", "fa-hourglass-3", 22, _delay("500ms")),
    Control("traffic-control-table-pkt-drop-low", "Packet drop: low", "fa-cut", 23, _loss("10%")),
    Control("traffic-control-table-clear", "Clear traffic control settings", "fa-times-circle", 24, _nothing),
)
_MORE: Final = (
    Control("traffic-control-bandwidth-high", "Bandwidth: 10 Mbit/s", "fa-battery-3", 25, _rate("10mbit")),
    Control("traffic-control-bandwidth-medium", "Bandwidth: 1 Mbit/s", "fa-battery-2", 26, _rate("1mbit")),
    Control("traffic-control-bandwidth-low", "Bandwidth: 128 kbit/s", "fa-battery-1", 27, _rate("128kbit")),
    Control(
        "traffic-control-end-all", "End every network condition", "fa-power-off", 28, _nothing, whole=True,
        confirmation="End every network condition of this container, also those that others have set?",
    ),
)  # fmt: skip


def controls(profiles: Iterable[Profile]) -> dict[str, Control]:
    """All buttons by id: the original's five, bandwidth, and one for each profile whose name can be part of an id."""
    named = [each for each in profiles if _GOOD_ID.fullmatch(each.name)]
    whole = [_of_profile(each, _FIRST_PROFILE_RANK + number) for number, each in enumerate(named)]
    return {each.id: each for each in (*LEGACY, *_MORE, *whole)}


def _of_profile(profile: Profile, rank: int) -> Control:
    human = f"Network: {profile.name} ({profile.title})" if profile.title != profile.name else f"Network: {profile.name}"
    wish = Wish(profile=profile.name)
    return Control(f"traffic-control-profile-{profile.name}", human, _ICONS.get(profile.name, "fa-signal"), rank, lambda _: wish)
