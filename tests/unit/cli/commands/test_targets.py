"""`targets`: the list, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest

import netweather.targets
from netweather.errors import NetweatherError
from netweather.targets import Listing
from tests.unit.cli.conftest import Run

WEB = Listing(
    "docker:shop-web-1", "docker", "shop-web-1", "running", id="1eba52", image="web:1", compose="shop/web",
    addresses=(ip_address("192.0.2.2"), ip_address("2001:db8::2")), interfaces=("eth0",), pid=4711, identity="4-5",
)  # fmt: skip
DB = Listing("netns:db", "netns", "db", "stale", note="it is no namespace")


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[Listing]:
    found = [WEB, DB]

    def listings(on_problem: Callable[[NetweatherError], None]) -> list[Listing]:
        on_problem(NetweatherError("docker-failed", "Docker answered 500", "", "see its log"))
        return found

    monkeypatch.setattr(netweather.targets, "list_targets", listings)
    return found


@pytest.mark.usefixtures("listed")
def test_the_table(run: Run) -> None:
    outcome = run("targets")
    lines = outcome.out.splitlines()
    assert lines[0].split() == ["Target", "State", "Interfaces", "Addresses", "Note"]
    assert lines[1].startswith("docker:shop-web-1  running  eth0")
    assert lines[2].startswith("compose:shop/web ")
    assert max(map(len, lines)) <= 80
    assert "2001:db8::2" in outcome.out
    assert outcome.err == "note: Docker answered 500\n"


@pytest.mark.usefixtures("listed")
def test_json(run: Run) -> None:
    web, db = run("targets", "--json").json
    assert web["addresses"] == ["192.0.2.2", "2001:db8::2"]
    assert web["compose"] == "shop/web"
    assert (db["reference"], db["note"], db["identity"]) == ("netns:db", "it is no namespace", None)


def test_nothing_there(run: Run, listed: list[Listing]) -> None:
    listed.clear()
    assert "pid:N" in run("targets").out
    assert run("targets", "--json").json == []
