"""Who changed what, and what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from netweather.agent.audit import Audit
from netweather.service.callers import Caller
from tests.unit.agent.conftest import Api

WHO = Caller("ann", frozenset(), origin="token ann")


def test_changes_and_refusals_are_written(api: Api) -> None:
    api.put("slow", who="all", reason="to see")
    api.put("slow", who="other")
    api("DELETE", "/v1/conditions/slow")
    done, refused, cleared = api.audit()
    assert (done["who"], done["from"], done["action"], done["outcome"]) == ("all", "token all", "set", "done")
    assert done["conditions"] == [{"name": "slow", "targets": ["netns:a"], "owner": "all", "reason": "to see", "lease": "1m"}]
    assert (refused["who"], refused["outcome"]) == ("other", "other-owner")
    assert (cleared["who"], cleared["cleared"]) == ("root", [{"target": "netns:a", "names": ["slow"]}])


def test_looking_is_not(api: Api) -> None:
    api("GET", "/v1/conditions")
    assert not api.agent.settings.audit.exists()


def test_others_may_not_read_it(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "folder" / "audit.log")
    with audit.of(WHO, "set", ()) as line:
        line["more"] = "a\nb"
    assert audit.path.stat().st_mode & 0o077 == 0
    assert len(audit.path.read_text().splitlines()) == 1


def test_what_failed_is_written_and_raised(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.log")
    with pytest.raises(ZeroDivisionError), audit.of(WHO, "set", ()):
        1 / 0  # noqa: B018 - it is to fail
    assert '"outcome": "ZeroDivisionError"' in audit.path.read_text()


def test_a_log_that_cannot_be_written_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with Audit(Path("/proc/nowhere/audit.log")).of(WHO, "set", ()):
        pass
    assert "can't be written" in caplog.text
    assert "ann" in caplog.text
