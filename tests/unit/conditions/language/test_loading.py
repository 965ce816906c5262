from __future__ import annotations

from typing import Any

import pytest

from netweather.conditions import (
    FOREVER,
    Condition,
    Delay,
    LossRandom,
    Match,
    NetworkCondition,
    PortRange,
    RateLimit,
    Rule,
    load,
    load_condition,
    load_json,
    load_rule,
    load_yaml,
)
from netweather.errors import UsageError
from netweather.units import Duration, Percent, Rate

LONG = """
apiVersion: netweather.dev/v1alpha1
kind: NetworkCondition
metadata: {name: slow-database, namespace: shop, labels: {team: shop}}
spec:
  targets: [docker:shop-api]
  lease: 10m
  rules:
  - to: [docker:shop-db, 198.51.100.0/24, db.example.org]
    ports: [5432, 6000-6010]
    protocol: tcp
    direction: both
    condition:
      delay: {time: 100ms, jitter: 20ms, correlation: 25%, distribution: normal}
      loss: 1%
      rate: 10mbit
  exclude: [{ports: [22]}]
status: {conditions: [], engine: pump, rules: [{counters: {packets: 3}}]}
"""
SLOW_DATABASE = NetworkCondition(
    name="slow-database",
    targets=("docker:shop-api",),
    rules=(
        Rule(
            Match(
                to=("docker:shop-db", "198.51.100.0/24", "db.example.org"),
                ports=(PortRange(5432, 5432), PortRange(6000, 6010)),
                protocol="tcp",
            ),
            Condition(
                delay=Delay(Duration.parse("100ms"), Duration.parse("20ms"), Percent.parse("25%"), "normal"),
                loss=LossRandom(Percent.parse("1%")),
                rate=RateLimit(Rate.parse("10mbit")),
            ),
        ),
    ),
    exclude=(Match(ports=(PortRange(22, 22),)),),
)
SHORT = """
name: slow-database
targets: docker:shop-api
rules:
- to: [docker:shop-db, 198.51.100.0/24, db.example.org]
  ports: 5432,6000-6010
  protocol: tcp
  condition: {delay: "100ms,20ms,25%,normal", loss: 1%, rate: 10mbit}
exclude: [{ports: 22}]
"""


def test_long_and_short_form_say_the_same() -> None:
    assert load_yaml(LONG) == (SLOW_DATABASE,)
    assert load_yaml(SHORT) == (SLOW_DATABASE,)


def test_parts_alone() -> None:
    assert load_condition({"delay": "5ms"}) == Condition(delay=Delay(Duration.parse("5ms")))
    assert load_rule({"ports": [22]}) == Rule(Match(ports=(PortRange(22, 22),)))


def test_nothing_but_a_name() -> None:
    assert load({"name": "empty"}) == NetworkCondition(name="empty")
    assert load({"kind": "NetworkCondition"}) == NetworkCondition()


def test_forever_only_when_spelt_out() -> None:
    assert load({"lease": "forever"}).lease is FOREVER
    for other in ("never", "infinite", "FOREVER"):
        with pytest.raises(UsageError, match="is not a duration"):
            load({"lease": other})


def test_a_kubernetes_list_and_a_list_of_json() -> None:
    assert load_json('{"kind": "List", "items": [{"name": "a"}, {"name": "b"}]}') == load_json('[{"name": "a"}, {"name": "b"}]')


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        (None, "bad-type", "start with apiVersion"),
        ("text", "bad-type", "it is a text"),
        ({"apiVersion": "netweather.dev/v2"}, "unknown-version", "this release reads netweather.dev/v1alpha1"),
        ({"kind": "Deployment"}, "unknown-kind", "Deployment"),
        ({"kind": "NetworkCondition", "rules": []}, "unknown-key", "'rules'"),
        ({"spec": {"name": "x"}}, "unknown-key", "metadata.name"),
        ({"spec": []}, "bad-type", "spec"),
        ({"metadata": "x"}, "bad-type", "metadata"),
        ({"metadata": {"nmae": "x"}}, "unknown-key", "did you mean 'name'?"),
        ({"metadata": {"name": "Not A Name"}}, "bad-name", "small letters"),
        ({"ruls": []}, "unknown-key", "did you mean 'rules'?"),
        ({"rules": [{"condition": {"dealy": "1ms"}}]}, "unknown-key", "rules[0].condition: 'dealy'"),
        ({"rules": [{"condition": {"loss": "3"}}]}, "bad-percent", "write 3%"),
        ({"rules": [{"condition": {"rate": "10mbps"}}]}, "bad-rate", "bytes a second to tc"),
        ({"lease": "10"}, "bad-duration", "lease: '10'"),
    ],
)
def test_what_is_wrong(data: Any, code: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        load(data)
    assert raised.value.code == code
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "bad-json"),
        ('{"name": "a", "name": "b"}', "duplicate-key"),
        ('{"rules": [{"priority": NaN}]}', "bad-json"),
        ('{"rules": [{"priority": 1.5}]}', "bad-type"),
        ("[" * 100_000, "document-too-large"),
    ],
)
def test_wrong_json(text: str, code: str) -> None:
    with pytest.raises(UsageError) as raised:
        load_json(text)
    assert raised.value.code == code


def test_numbers_with_a_point_never_become_floats() -> None:
    for text in ('{"rules": [{"condition": {"loss": 0.5}}]}', "rules: [{condition: {loss: 0.5}}]"):
        with pytest.raises(UsageError, match=r"write 0\.5%"):
            load_yaml(text)
    burst = "rules: [{condition: {loss: {model: burst, meanLength: 2.5, share: 1%}}}]"
    assert load_yaml(burst)[0].rules[0].condition.loss == load_condition({"loss": "burst:mean=2.5,share=1%"}).loss


def test_aliases_that_multiply_are_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(UsageError) as raised:
        load_yaml("\n".join(["name: bomb", *lines, "targets: *a11"]))
    assert len(str(raised.value)) < 2000
