"""Profiles: named conditions, with both directions and the source of their figures; ours and the user's own.

A profile is told from the side of who has the link: `down` is what the target receives, `up` what it sends. A server whose
clients have the link takes NAME/reversed. A user's own profiles stand in YAML files (embedding.own_profiles finds them):
    office: {title: the office, source: measured in May, down: {rate: 50mbit}, up: {rate: 10mbit}, both: {rtt: 20ms}}
`expand` replaces the profiles in a network condition: a field that the rule gives wins over the profile's.
One that fails: profile 3gg (unknown-profile: did you mean '3g'?).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from netweather.conditions.declare import declared_fields
from netweather.conditions.language.codec import bad_type, placed
from netweather.conditions.language.loading import load_condition
from netweather.conditions.model import Condition, NetworkCondition, Rule
from netweather.conditions.validation import validate, validate_condition
from netweather.errors import UsageError, unknown

REVERSED: Final = "/reversed"
_KEYS: Final = ("title", "source", "notes", "aliases", "both", "down", "up")


@dataclass(frozen=True, slots=True)
class Profile:
    """A named condition. `up` is for what the target sends (egress), `down` for what it receives (ingress)."""

    name: str
    title: str
    up: Condition
    down: Condition
    source: str
    notes: str = ""
    aliases: tuple[str, ...] = ()
    file: str = ""
    """Where the user's own stands; empty: it comes with Netweather."""

    @property
    def reversed(self) -> Profile:
        """The same link seen from its other end."""
        return dataclasses.replace(self, name=self.name + REVERSED, title=f"{self.title}, far end", up=self.down, down=self.up)


@cache
def builtin_profiles() -> Mapping[str, Profile]:
    """The profiles that come with Netweather, by name, in the order to list them."""
    return {name: load_profile(name, data) for name, data in PROFILES.items()}


def find_profile(name: str, own: Mapping[str, Profile] | None = None) -> Profile:
    """The profile of that name or alias, the user's own before ours. Raises UsageError unknown-profile."""
    plain = name.removesuffix(REVERSED)
    known = {**builtin_profiles(), **(own or {})}
    by_alias = {alias: profile for profile in known.values() for alias in profile.aliases}
    found = known.get(plain) or by_alias.get(plain)
    if found is None:
        raise unknown("unknown-profile", plain, [*known, *by_alias])
    return found.reversed if name.endswith(REVERSED) else found


def load_profiles(text: str) -> dict[str, Profile]:
    """A user's own profiles from a YAML text: a mapping of names. Raises UsageError."""
    from netweather.conditions.language.documents import parse_yaml

    loaded: dict[str, Profile] = {}
    for document in parse_yaml(text):
        if not isinstance(document, Mapping):
            raise bad_type(document, "a mapping of names to profiles", "the top")
        for name, data in document.items():
            loaded[name] = load_profile(name, data)
    return loaded


def load_profile(name: str, data: Any) -> Profile:
    """One profile from plain data: a mapping of title, source, both, down, up …. Raises UsageError."""
    if not isinstance(data, Mapping):
        raise bad_type(data, "a profile", name, "write down: {…}, up: {…} or both: {…}")
    for key in data:
        if key not in _KEYS:
            raise unknown("unknown-key", key, _KEYS, name)
    if not any(key in data for key in ("both", "down", "up")):
        raise UsageError("missing-key", f"{name}: it has no condition", "", "add both, down or up")
    texts = {key: str(data.get(key, "")) for key in ("title", "source", "notes")}
    up, down = (_direction(data, key, f"{name}.{key}") for key in ("up", "down"))
    aliases = data.get("aliases", [])
    if not isinstance(aliases, list):
        raise bad_type(aliases, "a list", f"{name}.aliases")
    return Profile(
        name, texts["title"] or name, up, down, texts["source"], texts["notes"], tuple(str(alias) for alias in aliases)
    )


def _direction(data: Mapping[str, Any], key: str, where: str) -> Condition:
    """One direction: what both have, with what is this direction's own."""
    parts = [data.get("both") or {}, data.get(key) or {}]
    for part in parts:
        if not isinstance(part, Mapping):
            raise bad_type(part, "a condition", where)
        if "profile" in part:
            raise UsageError("unknown-key", f"{where}: a profile cannot name another profile", "", "write out its fields")
    merged = {**parts[0], **parts[1]}
    if "rtt" in parts[0] and "delay" in parts[1]:
        del merged["rtt"]
    try:
        return validate_condition(load_condition(merged), where)
    except UsageError as error:
        raise (error if error.what.startswith(where) else placed(error, where)) from error


def expand(condition: NetworkCondition, own: Mapping[str, Profile] | None = None) -> NetworkCondition:
    """The same with every profile replaced by what it says. Rules whose directions differ become two.

    Raises UsageError unknown-profile, or what `validate` raises when the whole no longer makes sense.
    """
    if not any(rule.condition.profile for rule in condition.rules):
        return condition
    rules = tuple(rule for old in condition.rules for rule in expand_rule(old, own))
    return validate(dataclasses.replace(condition, rules=rules))


def expand_rule(rule: Rule, own: Mapping[str, Profile] | None = None) -> tuple[Rule, ...]:
    """The rule without its profile: one rule, or one for egress and one for ingress where these differ."""
    return rules_of(rule, profile_of(rule, own))


def profile_of(rule: Rule, own: Mapping[str, Profile] | None = None) -> Profile | None:
    """The profile that a rule names, if it names one. Raises UsageError unknown-profile."""
    name = rule.condition.profile
    return find_profile(name, own) if name is not None else None


def rules_of(rule: Rule, profile: Profile | None) -> tuple[Rule, ...]:
    """As `expand_rule`, with the profile that the rule names."""
    up, down = _directions(rule, profile)
    if up is None or down is None or up == down:
        one = down if up is None else up
        return () if one is None else (dataclasses.replace(rule, condition=one),)
    egress = dataclasses.replace(rule, match=dataclasses.replace(rule.match, direction="egress"), condition=up)
    ingress = dataclasses.replace(rule, match=dataclasses.replace(rule.match, direction="ingress"), condition=down)
    return (egress, ingress)


def directions(rule: Rule, own: Mapping[str, Profile] | None = None) -> tuple[Condition | None, Condition | None]:
    """What the rule means for egress and for ingress, profiles replaced; None where it doesn't match that direction."""
    return _directions(rule, profile_of(rule, own))


def _directions(rule: Rule, profile: Profile | None) -> tuple[Condition | None, Condition | None]:
    given = rule.condition
    up, down = (given, given) if profile is None else (_over(given, profile.up), _over(given, profile.down))
    wanted = rule.match.direction
    return (up if wanted != "ingress" else None, down if wanted != "egress" else None)


def _over(given: Condition, base: Condition) -> Condition:
    """The profile's condition with the given fields in place of its own."""
    changed = {
        field.attribute: value
        for field in declared_fields(Condition)
        if field.attribute != "profile" and (value := getattr(given, field.attribute)) != field.default
    }
    for one, other in (("trace", "rate"), ("rate", "trace")):
        if one in changed:
            changed.setdefault(other, None)
    if changed and base.block is not None:
        changed["block"] = None
    return dataclasses.replace(base, **changed)


__all__ = [
    "REVERSED",
    "Profile",
    "builtin_profiles",
    "directions",
    "expand",
    "expand_rule",
    "find_profile",
    "load_profile",
    "load_profiles",
    "profile_of",
    "rules_of",
]


_WPT: Final = "WebPageTest, www/settings/connectivity.ini.sample, "
_CHROME: Final = "Chrome DevTools, front_end/core/sdk/NetworkManager.ts, "
_FIREFOX: Final = "Firefox DevTools, throttling profiles, "
_COMCAST: Final = "Comcast (tylertreat/comcast), README, table of network conditions, "
_WONDER: Final = "WonderProxy, Miles per Millisecond, 2011, pings between cities, "


def _link(down: str, up: str, rtt: str, **both: Any) -> dict[str, Any]:
    return {"down": {"rate": down}, "up": {"rate": up}, "both": {"rtt": rtt, **both}}


PROFILES: Final[dict[str, dict[str, Any]]] = {
    "perfect": {"title": "nothing wrong", "source": "by definition", "both": {}},
    "dial-up": {"title": "56k modem", **_link("49kbit", "30kbit", "120ms"), "source": _WPT + "Dial"},
    "gprs": {"title": "mobile GPRS", **_link("51.2kbit", "20.48kbit", "500ms"), "source": _FIREFOX + "GPRS"},
    "2g": {"title": "mobile 2G", **_link("280kbit", "256kbit", "800ms"), "source": _WPT + "2G"},
    "edge": {
        "title": "mobile EDGE",
        "down": {"rate": "240kbit", "delay": "400ms"},
        "up": {"rate": "200kbit", "delay": "440ms"},
        "source": _WPT + "Edge (840 ms RTT); Augmented Traffic Control, utils/profiles, Edge - Average, for its halves",
    },
    "edge-lossy": {
        "title": "mobile EDGE that loses packets",
        "down": {"rate": "240kbit", "delay": "400ms", "loss": "1%"},
        "up": {"rate": "200kbit", "delay": "440ms", "loss": "1%"},
        "source": "Augmented Traffic Control, utils/profiles, Edge - Lossy",
    },
    "3g-slow": {
        "title": "mobile 3G, slow",
        **_link("400kbit", "400kbit", "400ms"),
        "source": _WPT + "3G_EM (emerging markets)",
        "aliases": ["slow-3g"],
    },
    "3g": {"title": "mobile 3G", **_link("1.6mbit", "768kbit", "300ms"), "source": _WPT + "3G"},
    "3g-fast": {
        "title": "mobile 3G, fast",
        **_link("1.6mbit", "768kbit", "150ms"),
        "source": _WPT + "3GFast",
        "aliases": ["fast-3g"],
    },
    "3g-lossy": {
        "title": "mobile 3G that loses packets",
        **_link("780kbit", "330kbit", "200ms", loss="1.5%"),
        "source": _WPT + "3GSlow; the loss: " + _COMCAST + "3G/HSDPA",
    },
    "4g-slow": {
        "title": "mobile 4G, slow",
        **_link("1638.4kbit", "750kbit", "150ms"),
        "source": "Lighthouse, core/config/constants.js, mobileSlow4G",
        "aliases": ["slow-4g"],
    },
    "4g": {"title": "mobile 4G", **_link("9mbit", "1.5mbit", "60ms"), "source": _CHROME + "Fast4GConditions"},
    "lte": {"title": "mobile LTE", **_link("12mbit", "12mbit", "70ms"), "source": _WPT + "LTE"},
    "5g": {
        "title": "mobile 5G",
        **_link("166.13mbit", "21.08mbit", "32ms"),
        "source": "Ookla, The State of 5G Worldwide in 2021, global medians of Q3 2021; latency: Ookla, United States, Q1 2021",
    },
    "dsl": {"title": "DSL at home", **_link("1.5mbit", "384kbit", "50ms"), "source": _WPT + "DSL"},
    "cable": {"title": "cable modem at home", **_link("5mbit", "1mbit", "28ms"), "source": _WPT + "Cable"},
    "fiber": {
        "title": "fibre to the home",
        **_link("20mbit", "5mbit", "4ms"),
        "source": _WPT + "FIOS",
        "aliases": ["fios"],
    },
    "home-wifi": {
        "title": "good Wi-Fi at home",
        **_link("31.45728mbit", "15.72864mbit", "2ms"),
        "source": _FIREFOX + "Wi-Fi",
        "aliases": ["wifi"],
    },
    "lossy-wifi": {
        "title": "bad Wi-Fi: slow moments, and losses in bursts",
        "down": {"rate": "31.45728mbit"},
        "up": {"rate": "15.72864mbit"},
        "both": {
            "delay": {"time": "2.6ms", "jitter": "9.4ms", "distribution": "pareto", "keepOrder": True},
            "loss": "burst:mean=5,share=2%",
        },
        "source": "Sui et al., Characterizing and Improving WiFi Latency, MobiSys 2016: median 3 ms, 90 % below 20 ms; "
        + _FIREFOX
        + "Wi-Fi, for the rates",
        "notes": "time and jitter are fitted to the two figures; the paper's 99th percentile of 250 ms is beyond what a table "
        "can hold, and the bursts of loss are ours",
    },
    "airplane": {
        "title": "Wi-Fi on board, by satellite",
        **_link("1.89mbit", "1.89mbit", "760ms", loss="3%"),
        "source": "Wolsing et al., A Performance Perspective on Web Optimized Protocol Stacks, ANRW 2019, network MSS",
        "notes": "the published loss of 6 % is split, half in each direction",
        "aliases": ["in-flight"],
    },
    "geo-satellite": {
        "title": "geostationary satellite",
        **_link("100mbit", "10mbit", "600ms"),
        "source": "APNIC blog, Testing LEO and GEO satellite services in Australia, 2022: RTT around 600 ms; rates: APNIC "
        "blog, Fact checking Starlink's performance figures, 2022, the SatCom subscription",
        "aliases": ["satellite", "geo"],
    },
    "leo-satellite": {
        "title": "satellite in a low orbit",
        "down": {"rate": "178mbit", "loss": "0.4%"},
        "up": {"rate": "17mbit", "loss": "0.45%"},
        "both": {"rtt": {"time": "50ms", "jitter": "10.5ms", "distribution": "normal", "keepOrder": True}},
        "source": "Michel et al., A First Look at Starlink Performance, IMC 2022: median RTT 50 ms, quartiles 40 and 60 ms",
        "notes": "the jitter is computed from the quartiles: 20 ms / 1.35, spread over two directions",
        "aliases": ["leo", "starlink"],
    },
    "transatlantic": {
        "title": "across the Atlantic",
        "both": {"rtt": "78ms"},
        "source": _WONDER + "New York and Paris",
    },
    "intercontinental": {
        "title": "to the other side of the world",
        "both": {"rtt": "246ms"},
        "source": _WONDER + "New York and Brisbane",
    },
    "congested": {
        "title": "cable modem with a full buffer",
        **_link("5mbit", "1mbit", "28ms", limit=100, queue="droptail"),
        "source": _WPT + "Cable; the buffer: duckware.com, Cable Modem Upload Bursting, 2020; 128 to 150 kB of upstream buffer "
        "(CableLabs CM-GL-Buffer-V01 describes the effect)",
        "notes": "100 packets of 1500 bytes in both directions; the downstream buffer is ours. Bad under load only",
        "aliases": ["bufferbloat"],
    },
    "voice-limit": {
        "title": "just good enough for conversation",
        "both": {
            "delay": {"time": "100ms", "jitter": "25ms", "distribution": "uniform", "keepOrder": True},
            "loss": "0.1%",
        },
        "source": "ITU-T Y.1541 (12/2011), table 1, QoS class 0: 100 ms one way, 50 ms variation, loss of 1 in 1000",
    },
    "very-bad": {
        "title": "nearly useless",
        **_link("1mbit", "1mbit", "1s", loss="10%"),
        "source": "Apple, Network Link Conditioner, preset Very Bad Network: 500 ms and 10 % in each direction",
    },
    "flapping": {
        "title": "a link that comes and goes",
        "both": {"loss": "gemodel:p=0.1%,r=1%"},
        "source": "by definition",
        "notes": "outages of 100 packets on average, one in 1000 packets begins one; the figures are ours",
    },
    "blackhole": {
        "title": "no packet arrives, silently",
        "both": {"block": "drop"},
        "source": "by definition",
        "aliases": ["offline"],
    },
    "refused": {
        "title": "no packet arrives, and the sender gets an error",
        "both": {"block": "reject"},
        "source": "by definition",
    },
}
