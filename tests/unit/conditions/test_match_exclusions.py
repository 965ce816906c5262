"""Exclusions that have a name are the same however they are spelt."""

from __future__ import annotations

from typing import Any

import pytest

from netweather.conditions import Match, load, load_yaml
from netweather.conditions.language.flags import network_condition_from_flags
from netweather.conditions.match import EXCLUSIONS

BASE: dict[str, Any] = {"targets": ["netns:a"], "rules": [{"condition": {"delay": "100ms"}}]}


@pytest.mark.parametrize("name", EXCLUSIONS)
def test_in_flags_and_files(name: str) -> None:
    wanted = (EXCLUSIONS[name],)
    assert network_condition_from_flags({"delay": "100ms", "exclude": [name]}).exclude == wanted
    assert load({**BASE, "exclude": [name]}).exclude == wanted
    assert load({**BASE, "exclude": name}).exclude == wanted
    (read,) = load_yaml(f"targets: [netns:a]\nexclude: [{name}]\nrules: [{{condition: {{delay: 100ms}}}}]\n")
    assert read.exclude == wanted


def test_other_words_are_peers_and_a_peer_of_that_name_can_be_meant() -> None:
    both = load({**BASE, "exclude": ["192.0.2.1", "to=dns", "port=22,protocol=tcp"]}).exclude
    assert both == (Match(to=("192.0.2.1",)), Match(to=("dns",)), EXCLUSIONS["ssh"])
    assert load({**BASE, "exclude": "port=22,protocol=tcp"}).exclude == (EXCLUSIONS["ssh"],)
