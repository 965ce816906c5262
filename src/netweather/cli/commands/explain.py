"""`netweather explain`: what an application will see of a condition. Nothing is set, and no target is needed."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netweather.cli import command_factory
from netweather.cli.options import given, json_option, with_flags
from netweather.cli.output import say, say_json, say_table, styled, wrapped
from netweather.conditions.language.flags import FLAGS
from netweather.errors import UsageError

if TYPE_CHECKING:
    from netweather.conditions.estimates.effects import TraceEffects
    from netweather.conditions.estimates.explanation import Explanation

_EXAMPLES = """
netweather explain --delay 100ms --jitter 20ms --loss 1%
netweather explain --profile 3g
# on a path whose own round-trip time is 30 ms
netweather explain --rate 2mbit --path-rtt 30ms
"""


@command_factory.command("explain", examples=_EXAMPLES)
@command_factory.option(
    "--direction",
    metavar="WHICH",
    complete=lambda incomplete: [("egress", ""), ("ingress", ""), ("both", "")],
    help="direction of the condition: egress, ingress or both (default)",
)
@command_factory.option("--path-rtt", metavar="TIME", help="round-trip time of the path alone (e.g. 30ms)")
@json_option
@with_flags("condition")
def command(*, direction: str | None, path_rtt: str | None, as_json: bool, **flags: Any) -> None:
    """Predicts how an application experiences a condition: round trips, connects, first bytes, throughput, loss, reordering,
    and possible surprises.

    The prediction is computed from the condition and assumes an otherwise healthy path; nothing is set. It assumes that the
    path without the condition has a round-trip time of 0.2 ms (two containers on one host); --path-rtt changes this.
    """
    words = given(flags)
    if not any(flag.group == "condition" and flag.name in words for flag in FLAGS):
        why = "no option says how to degrade the network"
        raise UsageError("no-condition", "no condition is given", why, "add one, such as --delay 100ms or --profile 3g")
    explanation = _explained({**words, "direction": direction}, path_rtt)
    if as_json:
        say_json(_plain(explanation))
    else:
        _say(explanation)


def _explained(words: Mapping[str, Any], path_rtt: str | None) -> Explanation:
    """Reads the files that the words name, as `set` does, and raises what it raises."""
    from netweather.conditions.distributions import load_table
    from netweather.conditions.embedding import own_profiles, profile_file
    from netweather.conditions.estimates.explanation import BASE_RTT, explain_rule
    from netweather.conditions.language.flags import rule_from_flags
    from netweather.conditions.profiles import directions
    from netweather.lines.traces import follow
    from netweather.settings import Settings
    from netweather.units import Duration

    rule = rule_from_flags(words)
    profile = rule.condition.profile
    own = {**own_profiles(Settings.load().profiles), **profile_file(profile)} if profile else None
    for each in directions(rule, own):
        if each is not None and each.delay is not None and each.delay.table is not None:
            load_table(each.delay.table)  # the estimates are lenient
    return explain_rule(rule, own, base=Duration.parse(path_rtt) if path_rtt else BASE_RTT, follow=follow)


def _plain(explanation: Explanation) -> dict[str, Any]:
    """Every figure under its name in CamelCase; times, rates and shares as the language spells them, or a number."""
    from netweather.conditions.declare import camel
    from netweather.conditions.estimates.effects import TraceEffects

    plain: dict[str, Any] = {}
    for field in dataclasses.fields(explanation):
        value = getattr(explanation, field.name)
        if field.name == "traps":
            plain["traps"] = [{"code": trap.code, "what": trap.what, "remedy": trap.remedy} for trap in value]
        elif isinstance(value, TraceEffects):
            plain[camel(field.name)] = _plain_trace(value)
        else:
            plain[camel(field.name)] = value if value is None or isinstance(value, float) else str(value)
    return plain


def _plain_trace(trace: TraceEffects) -> dict[str, Any]:
    """Seconds, bits a second and shares; null where there is no limit."""
    spreads = {name: dataclasses.asdict(getattr(trace, name)) for name in ("rate", "delay", "loss")}
    bounded = {
        name: {key: value if math.isfinite(value) else None for key, value in each.items()} for name, each in spreads.items()
    }
    return {"period": trace.period, **bounded, "pause": trace.pause}


def _say(explanation: Explanation) -> None:
    say_table(("What to expect", ""), explanation.lines())
    for trap in explanation.traps:
        text = wrapped(f"note: {trap.what}", "", "      ", sys.stdout)
        say(text.replace("note:", styled("note:", "yellow", sys.stdout), 1))
        say(wrapped(trap.remedy, "      ", "      ", sys.stdout))
