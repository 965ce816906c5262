"""Which cluster is meant, and when a condition is settled."""

from __future__ import annotations

import pytest

from netweather.cli.kubectl.cluster_access import need_in_force
from netweather.errors import NetweatherError
from tests.support.objects import condition
from tests.unit.kubectl.conftest import IN_FORCE, REFUSED


def test_what_is_not_in_force_says_why() -> None:
    need_in_force(condition(status={"observedGeneration": 1, "conditions": list(IN_FORCE)}))
    with pytest.raises(NetweatherError, match="TooManyPods"):
        need_in_force(condition(status={"observedGeneration": 1, "conditions": list(REFUSED)}))
