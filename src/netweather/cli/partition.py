"""`netweather partition`: groups that can't reach each other, in one call. Not here: who must drop whom (conditions.partitions)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netweather.cli import completing, pages
from netweather.cli.completed import connected
from netweather.cli.options import direct_option, given, json_option, with_flags
from netweather.cli.set import tell
from netweather.conditions.flags import FlagValue
from netweather.errors import UsageError
from netweather.settings import Settings

_EXAMPLES = """
# neither reaches the other, for 10 minutes
netweather partition docker:shop-1,docker:shop-2 docker:shop-3
# it is over everywhere
netweather clear --all --name partition
# what the first group sends to the second is lost, not what comes back
netweather partition --one-way docker:leader docker:follower --for 30s
# shop-2 stands in both: a bridge that reaches everybody
netweather partition docker:shop-1,docker:shop-2 docker:shop-2,docker:shop-3
# an address can be a side; only one port, and the sender is told
netweather partition docker:shop 198.51.100.9 --port 5432 --block reject
"""
FLAGS = ("port", "protocol", "family", "share", "for", "name", "reason", "priority")
NAME = "partition"


@pages.command("partition", examples=_EXAMPLES)
@pages.argument(
    "groups", metavar="GROUP", nargs=-1, required=True, complete=completing.targets, help="targets, with commas between them"
)
@pages.option("--one-way", is_flag=True, help="only what an earlier group sends to a later one is lost")
@pages.option("--block", metavar="HOW", default="drop", show_default=True, help="drop (silently) or reject (with an answer)")
@pages.option("--dry-run", is_flag=True, help="print what would be done, and do nothing")
@direct_option
@json_option
@with_flags("match", "common", only=FLAGS)
def command(
    groups: tuple[str, ...], *, one_way: bool, block: str, dry_run: bool, direct: bool, as_json: bool, **flags: Any
) -> None:
    """Parts GROUPs of targets: nothing gets through between them, while each group stays connected within itself.

    On all of the targets, or on none. Who stands in several groups reaches everybody. The packets of each pair are lost at
    the target of the earlier group, so a later one may be an address or a host name. It ends after 10 minutes unless --for says
    otherwise, and by its name, which is `partition` unless given: `netweather clear --all --name partition`.
    """
    settings = Settings.load()
    conditions = planned(
        groups, {"for": str(settings.lease), "name": NAME, **given(flags), "block": block}, one_way=one_way, owner=settings.owner
    )
    done = connected(settings, direct=direct).set(conditions, dry_run=dry_run)
    tell(done, dry_run=dry_run, as_json=as_json)


def planned(groups: Sequence[str], flags: dict[str, FlagValue], *, one_way: bool, owner: str) -> list[Any]:
    """The conditions that the words mean. Raises UsageError."""
    from netweather.conditions.flags import network_condition_from_flags
    from netweather.conditions.partitions import partition
    from netweather.targets.references import can_be_target

    members = [[word for word in group.split(",") if word] for group in groups]
    if any(word == "host" for group in members for word in group):
        raise UsageError(
            "bad-partition", "host can't be parted from others", "your own session would be, too",
            "use `netweather set host --to … --block drop` if you mean that",
        )  # fmt: skip
    template = network_condition_from_flags(flags, ("netns:any",), owner)
    return list(partition(members, template, can_be_target, one_way=one_way))
