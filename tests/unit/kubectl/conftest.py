"""The plugin's command line in this process, over an API server in memory."""

from __future__ import annotations

from typing import Any

import pytest

from netweather.cli.kubectl import cluster_access, main
from tests.support.commandline import Run, caller
from tests.support.fakeapi import FakeApi


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """The cluster that is asked; where it is said to be stands in `asked`."""
    made = FakeApi()
    made.namespace = "shop"

    async def connect(*place: str) -> FakeApi:
        made.asked = place
        return made

    monkeypatch.setattr(cluster_access.Api, "connect", connect)
    monkeypatch.setattr(cluster_access, "LOOKS_S", 0.001)
    return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    return caller(main, capsys)


def state(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    """A condition of a status."""
    return {"type": kind, "status": status, "reason": reason, "message": message}


IN_FORCE = (state("Resolved", "True", "Resolved"), state("InForce", "True", "ReadBack", "read back on 2 pods"))
PENDING = (state("Resolved", "True", "Resolved"), state("InForce", "False", "Pending", "in force on 1 of 2 pods"))
REFUSED = (state("Resolved", "False", "TooManyPods", "9 pods are selected"), state("InForce", "False", "NotResolved"))


def answer(api: FakeApi, name: str, conditions: tuple[dict[str, str], ...], **more: Any) -> None:
    """What an operator says of a condition."""
    found = api.objects["networkconditions", "shop", name]
    status = {
        "observedGeneration": found["metadata"].get("generation", 1),
        "summary": "2/2",
        "conditions": list(conditions),
        **more,
    }
    api.put("networkconditions", {**found, "status": status})
