"""Which rules of different conditions could meet the same packet: the first wins, and people want to be told. Pure."""

from __future__ import annotations

from netweather.kernel.spec import Action, Datapath, FlatRule

MOST = 20
"""So many are told of; a list of hundreds helps nobody."""


def overlaps(datapath: Datapath, leases: dict[str, int]) -> list[str]:
    """Sentences for pairs of rules whose traffic can be the same. leases: the slot of each condition's name."""
    names = {slot: name for name, slot in leases.items()}
    told: dict[tuple[int, int], str] = {}
    rules = [rule for rule in datapath.rules if rule.action is not Action.SKIP]
    for at, first in enumerate(rules):
        for second in rules[at + 1 :]:
            pair = (first.lease, second.lease)
            if first.lease == second.lease or pair in told or not can_meet(first, second):
                continue
            told[pair] = f"{names[first.lease]!r} comes before {names[second.lease]!r} for the traffic that both match"
            if len(told) >= MOST:
                return list(told.values())
    return list(told.values())


def can_meet(a: FlatRule, b: FlatRule) -> bool:
    """Whether some packet could match both; errs on the side of yes (shares, TCP flags and VLANs are not compared)."""
    if not a.places & b.places or (a.family and b.family and a.family != b.family):
        return False
    if a.protocols is not None and b.protocols is not None and not a.protocols & b.protocols:
        return False
    if a.ports and b.ports and not any(x[0] <= y[1] and y[0] <= x[1] for x in a.ports for y in b.ports):
        return False
    if a.connections and b.connections:
        return bool(set(a.connections) & set(b.connections))
    if a.peers is not None and b.peers is not None:
        return any(x.version == y.version and x.overlaps(y) for x in a.peers for y in b.peers)
    return True
