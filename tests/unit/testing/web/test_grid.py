from __future__ import annotations

from ipaddress import ip_address
from types import SimpleNamespace

import pytest

from netweather.errors import NetweatherError
from netweather.testing.web import grid

STATUS = {
    "value": {
        "nodes": [
            {"uri": "http://192.0.2.7:5555", "slots": [{"session": None}, {}]},
            {"uri": "http://192.0.2.8:5555", "slots": [{"session": {"sessionId": "abc"}}]},
        ]
    }
}


def test_the_node_of_a_session() -> None:
    assert grid.node_uri(STATUS, "abc") == "http://192.0.2.8:5555"
    with pytest.raises(NetweatherError) as caught:
        grid.node_uri(STATUS, "other")
    assert caught.value.code == "unknown-session"


def test_the_container_with_its_address() -> None:
    listings = [
        SimpleNamespace(reference="docker:hub", addresses=(ip_address("192.0.2.7"),)),
        SimpleNamespace(reference="docker:chrome", addresses=(ip_address("192.0.2.8"),)),
    ]
    assert grid.target_at("192.0.2.8", listings) == "docker:chrome"
    for address, among in (("192.0.2.9", listings), ("192.0.2.8", listings * 2)):
        with pytest.raises(NetweatherError) as caught:
            grid.target_at(address, among)
        assert caught.value.code == "unknown-node"


def test_nobody_answers() -> None:
    driver = SimpleNamespace(command_executor=SimpleNamespace(), session_id="abc")
    for hub in ("", "http://127.0.0.1:9"):
        with pytest.raises(NetweatherError) as caught:
            grid.session_node(driver, hub)
        assert caught.value.code == "grid-unreachable"
