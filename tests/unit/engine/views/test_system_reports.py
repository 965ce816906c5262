from __future__ import annotations

from netweather.conditions.profiles import find_profile
from netweather.engine.views import system_reports
from netweather.targets import Listing


def test_profiles_have_their_source() -> None:
    found = system_reports.profile_document(find_profile("3g"))
    assert (found["name"], found["up"]["delay"]["time"]) == ("3g", "150ms")
    assert found["source"]
    assert "file" not in found


def test_listings_are_plain() -> None:
    assert system_reports.listing_document(Listing("netns:a", "netns", "a", "present"))["reference"] == "netns:a"


def test_without_netem_the_pump_makes_all() -> None:
    assert system_reports.lines_by([])[0] == "pump"
    assert system_reports.doctor_document([], True)["works"] is True
