"""The controls in Scope: what each is called, and what it makes of the condition that the plugin has on a container. Pure.

The first five are those of Scope's own traffic-control plugin, with its ids, words and icons. Like there, a delay keeps the loss and a loss
the delay, and both apply to what the container sends. A profile is a whole network: it replaces these, and they replace it. Scope's panel
shows the controls in the order of their ranks, and has room for 12 icons: Docker's own take 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from netweather.conditions import Condition, Delay, LossRandom, Match, NetworkCondition, Profile, RateLimit, Rule
from netweather.errors import UsageError
from netweather.units import Duration, Percent, Rate

NAME: Final = "traffic-control"
"""Of the condition that the plugin sets, one on each container."""
SUFFIX: Final = ";<container>"
"""Behind a container's id, makes Scope's node of it."""
ROOM: Final = 12
"""Icons that Scope's panel shows: one row, without a scroll bar."""
BESIDE_DOCKERS: Final = 7
"""Of them, those that the Docker reporter leaves for a container that runs."""
STEPS: Final = ("4g", "3g", "2g", "lossy-wifi", "geo-satellite", "blackhole")
"""Profiles that the control `next-profile` sets in turn, unless others are given."""
PANEL: Final = (
    "clear", "slow", "medium", "fast", "pkt-drop-low", "next-profile", "bandwidth-medium", "end-all", "bandwidth-high", "bandwidth-low",
)  # fmt: skip
"""The names of the controls that the panel shows, unless others are given: the first of them, where there is no room for all."""
_PREFIXES: Final = ("traffic-control-table-", "traffic-control-")
_FIRST_PROFILE_RANK: Final = 40
_GOOD_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ICONS: Final = {
    "perfect": "fa-check", "blackhole": "fa-ban", "refused": "fa-ban", "flapping": "fa-chain-broken", "dial-up": "fa-phone",
    "airplane": "fa-plane", "dsl": "fa-home", "cable": "fa-home", "fiber": "fa-home", "transatlantic": "fa-globe",
    "intercontinental": "fa-globe", "home-wifi": "fa-wifi", "lossy-wifi": "fa-wifi", "geo-satellite": "fa-rocket",
    "leo-satellite": "fa-rocket", "voice-limit": "fa-microphone",
}  # fmt: skip


@dataclass(frozen=True)
class ButtonState:
    """What the plugin has on a container: a profile, or a delay and a loss of what it sends and a rate each way. Empty: nothing."""

    delay: Duration | None = None
    loss: Percent | None = None
    rate: Rate | None = None
    profile: str = ""

    def rules(self) -> tuple[Rule, ...]:
        """As rules; none when nothing is asked for."""
        if self == ButtonState():
            return ()
        if self.profile:
            return (Rule(condition=Condition(profile=self.profile)),)
        delay = None if self.delay is None else Delay(self.delay)
        loss = None if self.loss is None else LossRandom(self.loss)
        rate = None if self.rate is None else RateLimit(self.rate)
        sent = Rule(Match(direction="egress"), Condition(delay=delay, loss=loss, rate=rate))
        return (sent,) if rate is None else (sent, Rule(Match(direction="ingress"), Condition(rate=rate)))


def wish_of(condition: NetworkCondition | None) -> ButtonState:
    """What a condition says of what the container sends, as far as the plugin has a button for it."""
    sent = [rule.condition for rule in condition.rules if rule.match.direction != "ingress"] if condition else []
    if not sent:
        return ButtonState()
    first = sent[0]
    return ButtonState(
        delay=first.delay.time if first.delay else None,
        loss=first.loss.percent if isinstance(first.loss, LossRandom) else None,
        rate=first.rate.bitrate if first.rate else None,
        profile=first.profile or "",
    )


@dataclass(frozen=True)
class Button:
    """A button. change: what becomes of what the plugin has; an empty wish ends it. whole: it ends what others set, too."""

    id: str
    human: str
    icon: str
    rank: int
    change: Callable[[ButtonState], ButtonState]
    whole: bool = False
    confirmation: str = ""

    def plain(self) -> dict[str, str | int]:
        """As Scope's report has it."""
        more = {"confirmation": self.confirmation} if self.confirmation else {}
        return {"id": self.id, "human": self.human, "icon": self.icon, "rank": self.rank, **more}


def _delay(text: str) -> Callable[[ButtonState], ButtonState]:
    return lambda wish: replace(wish, delay=Duration.parse(text), profile="")


def _loss(text: str) -> Callable[[ButtonState], ButtonState]:
    return lambda wish: replace(wish, loss=Percent.parse(text), profile="")


def _rate(text: str) -> Callable[[ButtonState], ButtonState]:
    return lambda wish: replace(wish, rate=Rate.parse(text), profile="")


def _nothing(wish: ButtonState) -> ButtonState:
    return ButtonState()


LEGACY: Final = (
    Button("traffic-control-table-clear", "Clear traffic control settings", "fa-times-circle", 19, _nothing),
    Button("traffic-control-table-slow", "Traffic speed: slow", "fa-hourglass-1", 20, _delay("2000ms")),
    Button("traffic-control-table-medium", "Traffic speed: medium", "fa-hourglass-2", 21, _delay("1000ms")),
    Button("traffic-control-table-fast", "Traffic speed: fast", "fa-hourglass-3", 22, _delay("500ms")),
    Button("traffic-control-table-pkt-drop-low", "Packet drop: low", "fa-cut", 23, _loss("10%")),
)
_MORE: Final = (
    Button("traffic-control-bandwidth-medium", "Bandwidth: 1 Mbit/s", "fa-battery-2", 25, _rate("1mbit")),
    Button(
        "traffic-control-end-all", "End every network condition", "fa-power-off", 26, _nothing, whole=True,
        confirmation="End every network condition of this container, also those that others have set?",
    ),
    Button("traffic-control-bandwidth-high", "Bandwidth: 10 Mbit/s", "fa-battery-3", 27, _rate("10mbit")),
    Button("traffic-control-bandwidth-low", "Bandwidth: 128 kbit/s", "fa-battery-1", 28, _rate("128kbit")),
)  # fmt: skip


def controls(profiles: Iterable[Profile], steps: Iterable[str] = ()) -> dict[str, Button]:
    """All controls by id: the original's five, the next profile, bandwidth, and each profile whose name can be part of an id.

    steps: the names of the profiles that the control `next-profile` sets in turn; those of STEPS unless given.
    """
    named = [each for each in profiles if _GOOD_ID.fullmatch(each.name)]
    names = [each.name for each in named]
    turns = tuple(name for name in (steps or STEPS) if name in names) or tuple(names)
    following = [_next_of(turns)] if turns else []
    whole = [_of_profile(each, _FIRST_PROFILE_RANK + number) for number, each in enumerate(named)]
    return {each.id: each for each in (*LEGACY, *following, *_MORE, *whole)}


def panel(found: Mapping[str, Button], names: Iterable[str] = ()) -> tuple[str, ...]:
    """The ids of the controls with these names, by rank; those of PANEL unless given. Raises UsageError(code="unknown-control")."""
    by_name = {name_of(key): key for key in found}
    chosen = list(names)
    for name in chosen:
        if name not in by_name:
            known = ", ".join(by_name)
            raise UsageError("unknown-control", f"the plugin has no control {name[:100]!r}", "", f"write one of these: {known}")
    ids = [by_name[name] for name in chosen or PANEL if name in by_name]
    return tuple(sorted(dict.fromkeys(ids), key=lambda each: found[each].rank))


def name_of(id: str) -> str:  # noqa: A002 - Scope's word
    """The short name of a control: its id without what they all begin with."""
    return next((id.removeprefix(prefix) for prefix in _PREFIXES if id.startswith(prefix)), id)


def _next_of(turns: tuple[str, ...]) -> Button:
    def change(wish: ButtonState) -> ButtonState:
        at = turns.index(wish.profile) + 1 if wish.profile in turns else 0
        return ButtonState(profile=turns[at % len(turns)])

    return Button("next-profile", f"Next network: {', '.join(turns)}", "fa-step-forward", 24, change)


def _of_profile(profile: Profile, rank: int) -> Button:
    human = f"Network: {profile.name} ({profile.title})" if profile.title != profile.name else f"Network: {profile.name}"
    wish = ButtonState(profile=profile.name)
    return Button(f"traffic-control-profile-{profile.name}", human, _ICONS.get(profile.name, "fa-signal"), rank, lambda _: wish)
