"""What every service has in common."""

from __future__ import annotations

import inspect

import pytest

from netweather.client import Client
from netweather.errors import NetweatherError
from netweather.service import LocalService, Service
from netweather.service.protocol import end_condition
from tests.unit.service.conftest import slow

VERBS = sorted(name for name in vars(Service) if not name.startswith("_"))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("implementation", [LocalService, Client])
def test_the_same_call_works_with_each(implementation: type, verb: str) -> None:
    def words(owner: type) -> list[tuple[str, object]]:
        return [(each.name, each.kind) for each in inspect.signature(getattr(owner, verb)).parameters.values()]

    assert words(implementation)[: len(words(Service))] == words(Service)


def test_the_end_of_what_is_not_in_force_is_no_failure(service: LocalService) -> None:
    service.set([slow("netns:a", name="slow")])
    end_condition(service, ["netns:a"], "slow")
    end_condition(service, ["netns:a", "netns:b"], "slow")
    end_condition(service, ["netns:nowhere"], "slow")
    with pytest.raises(NetweatherError) as wrong:
        end_condition(service, ["nonsense:"], "slow")
    assert wrong.value.code not in ("no-such-condition", "unknown-target")
