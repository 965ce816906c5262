"""Which ids and leases a plugin takes, and when it warns. The process itself: tests/e2e/scope."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from netweather.errors import UsageError
from netweather.scope import plugin_process
from netweather.scope.plugin_process import Plugin, PluginSettings
from netweather.scope.probe_report import Reporter
from netweather.scope.steering import Steering
from netweather.units import Duration
from tests.support.rig import until


@pytest.mark.parametrize("id", ["traffic-control", "a", "Net7-weather-2"])
def test_its_socket_is_named_as_the_plugin(id: str) -> None:  # noqa: A002 - Scope's word
    assert PluginSettings(Duration(1), {}, Path("/p"), id).socket == Path(f"/p/{id}/{id}.sock")


@pytest.mark.parametrize("id", ["", "-a", "a-", "a--b", "a_b", "a.b", "a/b", "..", "a~b", "é"])
def test_ids_that_the_probe_refuses(id: str) -> None:  # noqa: A002 - Scope's word
    with pytest.raises(UsageError) as wrong:
        PluginSettings(Duration(1), {}, Path("/p"), id)
    assert wrong.value.code == "bad-plugin-id"


def test_it_warns_once_when_no_probe_asks(steering: Steering, caplog: pytest.LogCaptureFixture) -> None:
    """Such as one that started before its plugins folder existed: it never looks again."""
    plugin = Plugin(steering, Reporter("traffic-control", steering.controls))

    def warnings() -> list[str]:
        return [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]

    async def twice() -> None:
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            watching = group.create_task(plugin_process.warn_of_silence(plugin, Path("/p"), 0.01))
            for count in (1, 2):
                await asyncio.to_thread(until, lambda count=count: len(warnings()) >= count, 20, "it warns")
                for _ in range(5):
                    await asyncio.sleep(0.01)
                assert len(warnings()) == count
                plugin.asked_at = time.monotonic()  # it asks, and then no more
            watching.cancel()

    asyncio.run(twice())
    plugin.pool.shutdown()
    assert "only if /p existed when it started: restart the probe" in warnings()[0]


def test_a_lease_of_nothing_is_none() -> None:
    with pytest.raises(UsageError) as wrong:
        PluginSettings(Duration(0), {})
    assert wrong.value.code == "bad-lease"
