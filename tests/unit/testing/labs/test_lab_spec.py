from __future__ import annotations

import pytest

from netweather.errors import UsageError
from netweather.testing.labs.lab_spec import LinkSpec, Ready, load_lab, make_spec

SHOP = """
hosts:
  client:
  shop:
    processes:
      web:
        command: [server, --listen, "http://${shop}:8080", --pay, "${payment}"]
        ready: tcp:8080
        environment: {FROM: "${client}"}
  payment:
links:
- {hosts: [client, shop], delay: 40ms, loss: 1%}
- {hosts: [shop, payment], profile: 3g}
"""


def test_yaml() -> None:
    spec = load_lab(SHOP)
    (web,) = spec.hosts["shop"]
    assert (web.name, web.ready, web.environment) == ("web", Ready("tcp", 8080), {"FROM": "${client}"})
    assert [link.hosts for link in spec.links] == [("client", "shop"), ("shop", "payment")]
    assert spec.links[0].words == {"delay": "40ms", "loss": "1%"}
    assert spec.links[1].words == {"profile": "3g"}


def test_addresses_are_those_of_the_links() -> None:
    spec = load_lab(SHOP)
    assert [(end.device, end.v4, end.v6) for end in spec.ends("shop")] == [
        ("eth0", "192.0.2.2", "2001:db8:1::2"),
        ("eth1", "192.0.2.17", "2001:db8:2::1"),
    ]
    assert spec.address("shop") == spec.address("shop", "client") == "192.0.2.2"
    assert spec.address("shop", "payment") == "192.0.2.17"
    assert spec.filled(["http://${shop}/", "plain"], "payment") == ["http://192.0.2.17/", "plain"]


def test_without_links_all_are_on_one_switch() -> None:
    spec = make_spec(["a", "b", "c"])
    assert [spec.ends(host)[0].v4 for host in "abc"] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert load_lab("hosts: {a: , b: }").links == (LinkSpec(("a", "b")),)


def test_every_network_is_documentation() -> None:
    spec = make_spec([f"h{n}" for n in range(49)], [(f"h{n}", f"h{n + 1}") for n in range(48)])
    assert spec.ends("h48")[0].v4 == "203.0.113.242"


@pytest.mark.parametrize(
    ("words", "ready"),
    [(8080, Ready("tcp", 8080)), ("udp:5004", Ready("udp", 5004)), ("log:ready: 1", Ready(text="ready: 1"))],
    ids=["number", "udp", "log"],
)
def test_ready(words: str | int, ready: Ready) -> None:
    assert Ready.parse(words) == ready
    assert Ready.parse(ready.words) == ready


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("hosts: {a: , b: }\nlink: []", "unknown-key", "did you mean 'links'?"),
        ("hosts: {server: , b: }\nlinks: [{hosts: [sever, b]}]", "unknown-host", "did you mean 'server'?"),
        ("hosts: {a: , b: , c: }\nlinks: [{hosts: [a, b]}]", "bad-lab", "no link connects it"),
        ("hosts: {a: , b: }\nlinks: [{hosts: [a]}]", "bad-lab", "a link joins 2 to 14"),
        ("hosts: {a: , b: }\nlinks: [{hosts: [a, a]}]", "bad-lab", "different hosts"),
        ("hosts: {a: , b: }\nlinks: {hosts: [a, b]}", "bad-lab", "a list is expected"),
        ("hosts: {A: , b: }", "bad-lab", "small letters"),
        ("hosts: [a, b]", "bad-lab", "keys with their values"),
        ("{}", "bad-lab", "hosts"),
        ("", "bad-lab", "a lab is one"),
        ("hosts: {a: {processes: {web: {command: [x], ready: 99999}}}}", "bad-lab", "tcp:8080"),
        ("hosts: {a: {processes: {web: {ready: 80}}}}", "bad-lab", "hosts.a.processes.web.command"),
        ("hosts: {a: {processes: {web: {command: []}}}}", "bad-lab", "names no program"),
    ],
    ids=lambda value: None,
)
def test_what_is_no_lab(text: str, code: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_lab(text)
    assert caught.value.code == code
    assert told in str(caught.value)


def test_a_name_twice_and_an_unknown_place() -> None:
    with pytest.raises(UsageError, match="not valid in a lab") as caught:
        make_spec(["a", "a"])
    assert caught.value.code == "bad-lab"
    with pytest.raises(UsageError) as caught:
        make_spec(["server", "b"]).filled(["${sever}"], "b")
    assert caught.value.code == "unknown-host"
