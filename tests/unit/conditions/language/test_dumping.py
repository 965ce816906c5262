from __future__ import annotations

from netweather.conditions import dump, dump_condition, dump_yaml, load, load_condition, load_rule
from netweather.conditions.language.dumping import dump_rule


def test_the_long_form() -> None:
    rule = {"ports": [5432, "6000-6010"], "condition": {"delay": "100ms", "loss": "gemodel:p=1%,r=10%", "rate": "10mbit"}}
    assert dump(load({"name": "slow", "rules": [rule]})) == {
        "apiVersion": "netweather.dev/v1alpha1",
        "kind": "NetworkCondition",
        "metadata": {"name": "slow"},
        "spec": {
            "lease": "10m",
            "rules": [
                {
                    "ports": [5432, "6000-6010"],
                    "direction": "both",
                    "condition": {
                        "delay": {"time": "100ms"},
                        "loss": {"model": "gemodel", "p": "1%", "r": "10%"},
                        "rate": {"bitrate": "10mbit"},
                    },
                }
            ],
        },
    }


def test_the_default_name_is_written() -> None:
    assert dump(load({}))["metadata"] == {"name": "default"}


def test_no_condition_is_written_as_such() -> None:
    assert dump_rule(load_rule({})) == {"direction": "both", "condition": {}}


def test_what_a_field_tells_of_is_written_with_it() -> None:
    """A correlation without its jitter would be refused when read."""
    condition = load_condition({"delay": {"time": "1ms", "jitter": 0, "correlation": "25%"}})
    assert dump_condition(condition) == {"delay": {"time": "1ms", "jitter": "0s", "correlation": "25%"}}
    assert load_condition(dump_condition(condition)) == condition


def test_yaml_for_people() -> None:
    assert dump_yaml([load({"rules": [{"ports": 22, "condition": {"block": "drop"}}]})]) == (
        "apiVersion: netweather.dev/v1alpha1\nkind: NetworkCondition\nmetadata:\n  name: default\nspec:\n  lease: 10m\n"
        "  rules:\n  - ports:\n    - 22\n    direction: both\n    condition:\n      block: drop\n"
    )
