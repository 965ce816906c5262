from __future__ import annotations

from netweather.engine.views import system_reports


def test_without_netem_the_pump_makes_all() -> None:
    assert system_reports.lines_by([])[0] == "pump"
    report = system_reports.KernelReport.here([])
    assert (report.works, report.engine) == (False, "pump")
    assert report.host.release
