"""Who must drop whom: groups of targets that can't reach each other, as network conditions. Pure.

    partition((("docker:a", "docker:b"), ("docker:c",)), template)      a and b can't reach c, nor c them
Who stands in several groups is a bridge: it reaches everybody, and everybody reaches it (a partial partition). Each pair is cut
at one of its ends, in both directions: at the one of the earlier group, unless only the other is a target. So an address can be
the far side. Not here: what a reference means, and putting it in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Literal

from netweather.conditions.match import Direction
from netweather.conditions.model import Condition, NetworkCondition, Rule
from netweather.conditions.peer_kinds import is_reference
from netweather.errors import UsageError

TargetGroup = Sequence[str]
Cut = tuple[str, str, Direction]
NOTHING_ARRIVES = Rule(condition=Condition(block="drop"))


def partition(
    groups: Sequence[TargetGroup],
    template: NetworkCondition,
    is_target: Callable[[str], bool] = is_reference,
    *,
    one_way: bool = False,
) -> tuple[NetworkCondition, ...]:
    """The conditions that part the groups, each for targets with the same far side; to be set together.

    template: their name, lease, owner and one rule, which says what becomes of the packets (NOTHING_ARRIVES unless there is
    one) and which traffic is meant; its peers are filled in. one_way: only what the earlier group sends to the later one is
    lost. is_target: whether a word can be a target, and not only an address. Raises UsageError bad-partition, repeated-member.
    """
    rule = template.rules[0] if template.rules else NOTHING_ARRIVES
    _check(groups)
    far_sides: dict[str, dict[Direction, list[str]]] = {}
    for here, there, direction in _cuts(groups, is_target, "egress" if one_way else "both"):
        far_sides.setdefault(here, {}).setdefault(direction, []).append(there)
    alike: dict[tuple[Rule, ...], list[str]] = {}
    for here, peers in far_sides.items():
        rules = tuple(replace(rule, match=replace(rule.match, to=tuple(to), direction=way)) for way, to in peers.items())
        alike.setdefault(rules, []).append(here)
    return tuple(replace(template, targets=tuple(targets), rules=rules) for rules, targets in alike.items())


def _check(groups: Sequence[TargetGroup]) -> None:
    if len(groups) < 2 or not all(groups):
        why = "a partition needs at least two groups, and no group may be empty"
        raise UsageError("bad-partition", "there are too few groups", why, "name them: docker:a,docker:b docker:c")
    if any("host" in group for group in groups):
        raise UsageError(
            "bad-partition", "a partition cannot contain host", "it would also cut off your own session",
            "use `netweather set host --to … --block drop` if you mean that",
        )  # fmt: skip
    for group in groups:
        for word in group:
            if list(group).count(word) > 1:
                raise UsageError("repeated-member", f"{word!r} appears twice in one group", "", "remove one")


def _cuts(groups: Sequence[TargetGroup], is_target: Callable[[str], bool], direction: Literal["egress", "both"]) -> Iterator[Cut]:
    """(where, from whom, which way) of each pair that shares no group, once."""
    homes: dict[str, set[int]] = {}
    for number, group in enumerate(groups):
        for word in group:
            homes.setdefault(word, set()).add(number)
    found = False
    for one, other in combinations(homes, 2):
        if homes[one] & homes[other]:
            continue
        found = True
        if is_target(one):
            yield one, other, direction
        elif is_target(other):
            yield other, one, "ingress" if direction == "egress" else "both"
        else:
            why = "packets are dropped at a target, such as docker:NAME"
            raise UsageError(
                "bad-partition", f"neither {one} nor {other} is a target", why, "name at least one of them as a target"
            )
    if not found:
        why = "every member is in several groups, and such a member can reach all members of its groups"
        raise UsageError(
            "bad-partition", "the groups separate no targets", why, "put targets that must be separated into different groups"
        )


__all__ = ["NOTHING_ARRIVES", "TargetGroup", "partition"]
