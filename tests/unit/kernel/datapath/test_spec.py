from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from netweather.kernel.datapath.spec import Action, Datapath, FlatRule, Room, digest_of

RULE = FlatRule(Action.DROP, 0, 0, frozenset({(0, 0), (0, 1)}), protocols=frozenset({6, 17}))


def test_a_digest_is_of_what_is_said_not_of_how_sets_are_ordered() -> None:
    same = FlatRule(Action.DROP, 0, 0, frozenset({(0, 1), (0, 0)}), protocols=frozenset({17, 6}))
    assert digest_of((RULE,)) == digest_of((same,))


def test_a_digest_tells_every_field_apart() -> None:
    changes = [
        {"action": Action.LINE},
        {"lease": 1},
        {"counter": 1},
        {"places": frozenset({(0, 0)})},
        {"peers": (ip_network("192.0.2.0/24"),)},
        {"ports": ((1, 2),)},
        {"protocols": None},
        {"protocols": frozenset()},
        {"family": 4},
        {"lines": (((0, 0), 1),)},
        {"heartbeat": True},
        {"skip_to": 1},
        {"share": 0},
        {"share_seed": 1},
        {"tcp_flags": (2, 2)},
        {"vlan": 0},
    ]
    digests = {digest_of((replace(RULE, **change),)) for change in changes}  # type: ignore[arg-type]  # of the list above
    assert len(digests | {digest_of((RULE,)), digest_of(())}) == len(changes) + 2


def test_room() -> None:
    assert Room(64, 64, 1).holds(Room(64, 10, 1))
    assert not Room(64, 64, 1).holds(Room(64, 64, 2))


def test_nothing_is_the_empty_datapath() -> None:
    assert Datapath().empty
