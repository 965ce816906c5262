"""`netweather partition`: groups that can't reach each other, in one call. Not here: who must drop whom (conditions.partitions)."""

from __future__ import annotations

from typing import Any

from netweather.cli import command_factory, completion
from netweather.cli.commands.set import tell
from netweather.cli.full_ids import connected
from netweather.cli.options import direct_option, given, json_option, with_flags
from netweather.settings import Settings

_EXAMPLES = """
# no traffic between the two groups, for 10 minutes
netweather partition docker:shop-1,docker:shop-2 docker:shop-3
# end the partition on all targets
netweather clear --all --name partition
# drop packets from the leader to the follower, not the other direction
netweather partition --one-way docker:leader docker:follower --for 30s
# shop-2 is in both groups, so it can reach all targets
netweather partition docker:shop-1,docker:shop-2 docker:shop-2,docker:shop-3
# a group can be an address; block one port, with an error to the sender
netweather partition docker:shop 198.51.100.9 --port 5432 --block reject
"""
FLAGS = ("port", "protocol", "family", "share", "for", "name", "reason", "priority")
NAME = "partition"


@command_factory.command("partition", examples=_EXAMPLES)
@command_factory.argument(
    "groups", metavar="GROUP", nargs=-1, required=True, complete=completion.targets, help="one group: targets separated by commas"
)
@command_factory.option("--one-way", is_flag=True, help="drop only packets from an earlier group to a later one")
@command_factory.option(
    "--block", metavar="HOW", default="drop", show_default=True, help="drop (silently) or reject (with an error to the sender)"
)
@command_factory.option("--dry-run", is_flag=True, help="only print what would be done")
@direct_option
@json_option
@with_flags("match", "common", only=FLAGS)
def command(
    groups: tuple[str, ...], *, one_way: bool, block: str, dry_run: bool, direct: bool, as_json: bool, **flags: Any
) -> None:
    """Blocks all traffic between GROUPs of targets. Targets in the same group can still reach each other.

    Either all targets are set or none. A target that is in several groups can reach all of their members. Netweather drops the
    packets between two groups at the targets of the group that is given first. So a group after it may also contain addresses
    and host names. A partition is a condition named `partition` (or --name) and ends after 10 minutes (or --for). To end it
    earlier: `netweather clear --all --name partition`.
    """
    from netweather.conditions.language.flags import network_condition_from_flags

    settings = Settings.load()
    words = {"for": str(settings.lease), "name": NAME, **given(flags), "block": block}
    template = network_condition_from_flags(words, ("netns:any",), settings.owner)
    members = [[word for word in group.split(",") if word] for group in groups]
    done = connected(settings, direct=direct).partition(members, template, one_way=one_way, dry_run=dry_run)
    tell(done, as_json=as_json)
