"""`netweather profiles`: the named conditions, those that come with Netweather and the user's own."""

from __future__ import annotations

import sys

from netweather.cli import command_factory, completion
from netweather.cli.options import json_option
from netweather.cli.output import say, say_json, say_table, styled, wrapped
from netweather.conditions.embedding import own_profiles
from netweather.conditions.profiles import Profile, builtin_profiles, find_profile
from netweather.settings import Settings

_EXAMPLES = """
netweather profiles
netweather profiles satellite
netweather set docker:shop-api --profile 3g
# a server whose clients use 3g, with another loss
netweather set docker:shop-api --profile 3g/reversed --loss 5%
# your own profile, from a YAML file (docs/profiles.md)
NETWEATHER_PROFILES=office.yaml netweather profiles office
"""


@command_factory.command("profiles", examples=_EXAMPLES)
@command_factory.argument(
    "name", metavar="NAME", required=False, complete=completion.profiles, help="show all details of this profile"
)
@json_option
def command(name: str | None, *, as_json: bool) -> None:
    """Lists the profiles, or shows one profile with the sources of its figures.

    A profile describes a link from the side of its user: "down" are packets that arrive at the target, "up" are packets that it
    sends. NAME/reversed swaps the two, for a target at the other end of the link, such as a server.
    """
    own = own_profiles(Settings.load().profiles)
    found = [find_profile(name, own)] if name else list({**builtin_profiles(), **own}.values())
    if as_json:
        from netweather.wire.machine_documents import PROFILE

        say_json([PROFILE.write(profile) for profile in found])
    elif name:
        _say_one(found[0])
    else:
        _say_all(found)


def _say_all(found: list[Profile]) -> None:
    from netweather.cli.wording import condition_words

    rows = []
    for profile in found:
        up, down = condition_words(profile.up), condition_words(profile.down)
        rows.append([profile.name, profile.title, f"both: {up}" if up == down else f"down: {down}\nup:   {up}"])
    say_table(("Profile", "What", "Condition"), rows)


def _say_one(profile: Profile) -> None:
    from netweather.cli.wording import condition_words

    say(f"{styled(profile.name, 'bold', sys.stdout)}: {profile.title}")
    rows = [("down", condition_words(profile.down)), ("up", condition_words(profile.up))]
    rows += [("also", ", ".join(profile.aliases)), ("source", profile.source), ("notes", profile.notes)]
    rows.append(("file", profile.file))
    for label, text in rows:
        if text:
            say(wrapped(text, f"  {label:<8}", " " * 10, sys.stdout))
