"""deploy/grafana-dashboard.json asks only for what an agent tells: every metric, and every label, of every expression."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from netweather.kernel.sockets.netns_stats import Faring
from tests.support.repository import ROOT
from tests.unit.agent.conftest import Api

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
QUERIES = [(panel["title"], query) for panel in DASHBOARD["panels"] for query in panel["targets"]]
FUNCTIONS = {"sum", "by", "rate", "histogram_quantile"}
SCRAPED = {"instance", "job"}
"""Labels that Prometheus itself adds."""
METRIC = r"[a-z_]+"
VECTOR = rf"{METRIC}( == 0)?"
RATE = rf"rate\({METRIC}\[\$__rate_interval\]\)"
SUM = rf"sum (by \([a-z_, ]+\) )?\(({RATE}|{METRIC})\)"
GRAMMAR = re.compile(rf"(8 \* )?({SUM}|{RATE}|{VECTOR})|histogram_quantile\(0\.\d+, {SUM}\)")


@pytest.fixture
def told(api: Api) -> dict[str, set[str]]:
    """The names of all samples of an agent that has been used, with the labels of each."""
    api.put("slow")
    api.agent.metrics.conditions.fares = lambda targets: {(each.dev, each.ino): Faring(1, 100.0, 0, 1, 1) for each in targets}
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(api("GET", "/v1/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def names(expression: str) -> Iterator[str]:
    """The metrics of an expression."""
    plain = re.sub(r"by \([^)]*\)|\[[^\]]*\]", "", expression)
    yield from (word for word in re.findall(r"[a-z_]{2,}", plain) if word not in FUNCTIONS)


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[f"{title}: {query['expr']}" for title, query in QUERIES])
def test_an_expression(title: str, query: dict[str, str], told: dict[str, set[str]]) -> None:
    expression = query["expr"]
    assert GRAMMAR.fullmatch(expression), "the expressions are kept as plain as this test understands"
    asked = list(names(expression))
    assert asked
    assert set(asked) <= set(told), "no such metric"
    labels = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", expression))))
    assert labels <= set.union(*(told[name] for name in asked)), "no such label"
    kept = labels if " by " in expression else set.union(*(told[name] for name in asked)) | SCRAPED
    assert set(re.findall(r"{{(\w+)}}", query["legendFormat"])) <= kept, "the legend names a label that is not there"
    assert (
        expression.startswith("rate") or "rate(" in expression or not any(name.endswith(("_total", "_bucket")) for name in asked)
    )


def test_the_panels_have_their_places() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"]) >= 10
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]}
    assert len(places) == len(DASHBOARD["panels"])
    (variable,) = DASHBOARD["templating"]["list"]
    assert all(query["datasource"]["uid"] == f"${{{variable['name']}}}" for _, query in QUERIES)


def test_every_metric_of_ours_is_in_a_panel(told: dict[str, set[str]]) -> None:
    asked = {name for _, query in QUERIES for name in names(query["expr"])}
    ours = {
        re.sub(r"_(sum|count)$", "", name) for name in told if name.startswith("netweather_") and not name.endswith("_created")
    }
    assert {name for name in ours if name not in asked and f"{name}_bucket" not in asked} == set()
