"""Rules and keys as the classifier reads them; that the layout is the compiler's: tests/native."""

from __future__ import annotations

from ipaddress import ip_network

from netweather.kernel.datapath import classifier_layout
from netweather.kernel.datapath.spec import Action, ExactConnection, FlatRule


def test_a_rule_s_lines_stand_by_place() -> None:
    rule = FlatRule(Action.LINE, 1, 2, frozenset({(0, 1)}), lines=(((0, 1), 7), ((2, 0), 9)), heartbeat=True)
    data = classifier_layout.rule_bytes(rule)
    assert data[24:30] == bytes([0xFF, 7, 0xFF, 0xFF, 9, 0xFF])
    assert data[:2] == bytes([Action.LINE, classifier_layout.RULE_HEARTBEAT])


def test_keys_are_in_network_order_behind_their_generation() -> None:
    assert classifier_layout.peer_key(ip_network("192.0.2.0/24"), 1) == bytes([56, 0, 0, 0, 1, 0, 0, 0, 192, 0, 2, 0])
    end = bytes(16)
    key = classifier_layout.connection_key(ExactConnection(6, (end, 80), (end, 0x1234)), 0)
    assert key[4] == 6
    assert key[8:12] == bytes([0, 80, 0x12, 0x34])
