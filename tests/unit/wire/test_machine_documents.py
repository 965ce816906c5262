"""What there is to know of a machine, as documents and back."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

import jsonschema
import pytest

from netweather.agent.events import Event
from netweather.conditions.profiles import builtin_profiles, find_profile
from netweather.engine.views.system_reports import KernelReport
from netweather.errors import NetweatherError
from netweather.kernel.features.features import FEATURES, Finding
from netweather.kernel.host_info import HostInfo
from netweather.targets import Listing
from netweather.wire.event_documents import EVENT
from netweather.wire.machine_documents import DOCTOR, LISTING, LISTINGS, PROFILE, PROFILES, REFERENCE

PLACE = Listing(
    "docker:a",
    "docker",
    "a",
    "running",
    "0" * 64,
    "shop",
    "p/s",
    (ip_address("192.0.2.1"), ip_address("2001:db8::1")),
    ("eth0",),
    7,
    "1-2",
)
REPORT = KernelReport(True, HostInfo.here(), "pump", "it makes all", [Finding(each, "yes", "it is there") for each in FEATURES])


def valid(document: Any, plain: Any) -> Any:
    components: dict[str, Any] = {}
    found = json.loads(json.dumps(plain))
    jsonschema.validate(found, {**document.schema(components), "components": {"schemas": components}})
    return found


@pytest.mark.parametrize(
    ("document", "value"),
    [
        (LISTING, PLACE),
        (LISTING, Listing("netns:a", "netns", "a", "present")),
        (REFERENCE, "docker:a"),
        (PROFILE, find_profile("3g")),
    ],
)
def test_a_document_and_back(document: Any, value: Any) -> None:
    assert document.read(valid(document, document.write(value))) == value


def test_profiles_have_their_source() -> None:
    items = valid(PROFILES, PROFILES.write(list(builtin_profiles().values())))["items"]
    assert all(each["source"] and "file" not in each for each in items)
    assert next(each for each in items if each["name"] == "3g")["up"]["delay"]["time"] == "150ms"


def test_runtimes_that_could_not_be_listed() -> None:
    plain = valid(LISTINGS, LISTINGS.write(([PLACE], [NetweatherError("docker-unreachable", "t", "d", "r")])))
    assert [each["code"] for each in plain["problems"]] == ["docker-unreachable"]


def test_a_report_of_the_kernel() -> None:
    plain = valid(DOCTOR, DOCTOR.write(REPORT))
    assert (plain["works"], plain["engine"], len(plain["features"])) == (
        True,
        {"auto": "pump", "why": "it makes all"},
        len(FEATURES),
    )
    tcx = next(each for each in plain["features"] if each["name"] == "tcx")
    assert (tcx["minimumKernel"], tcx["option"], tcx["answer"]) == ("6.6", "CONFIG_NET_XGRESS", "yes")


def test_an_event() -> None:
    event = Event(1, "condition-set", "2026-01-01T00:00:00Z", {"name": "slow", "target": "netns:a"})
    assert valid(EVENT, EVENT.write(event)) == {"time": event.time, "name": "slow", "target": "netns:a"}
