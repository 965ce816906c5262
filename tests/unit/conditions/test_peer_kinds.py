"""Addresses, references and host names are told apart by their form."""

from __future__ import annotations

import pytest

from netweather.conditions.peer_kinds import is_address, is_reference


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("host", "reference"), ("docker:x", "reference"), ("dokcer:x", "reference"), ("pod:shop/app=web", "reference"),
        ("db", "name"), ("db.shop.svc", "name"), ("127-0-0-1.example", "name"),
        ("192.0.2.9", "address"), ("192.0.2.0/24", "address"), ("192.0.2.300", "address"),
        ("::1", "address"), ("fd00::1", "address"), ("fe80::/10", "address"), ("::ffff:192.0.2.9", "address"),
    ],
)  # fmt: skip
def test_the_kind_of_a_word(text: str, kind: str) -> None:
    assert (is_address(text), is_reference(text)) == (kind == "address", kind == "reference")
