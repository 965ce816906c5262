"""The probe of the tests refuses what Scope's does: else a report that passes would prove nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.scope import Panic, Probe, Rejected, Seen, decoded, docker_node

SPEC = {"id": "x", "label": "X", "interfaces": ["reporter", "controller"], "api_version": "1"}
NODE = {"latest": {"k": {"timestamp": "2026-05-03T12:00:00Z", "value": "v"}}}


def take(spec: Any = SPEC, node: Any = NODE, **more: Any) -> Any:
    body = {"Plugins": spec if isinstance(spec, list) else [spec], "Container": {"nodes": {"c;<container>": node}}, **more}
    return Probe(None).take("x", json.dumps(body).encode())  # type: ignore[arg-type]  # nothing is looked for


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ([], "exactly one plugin (found 0)"),
        ([SPEC, SPEC], "exactly one plugin (found 2)"),
        ({**SPEC, "id": "y", "api_version": "2"}, 'must not change its id (is "y", should be "x")'),
        ({**SPEC, "api_version": "2", "label": ""}, 'expected "1", got "2"'),
        ({**SPEC, "label": "", "interfaces": []}, "must contain a label"),
        ({**SPEC, "interfaces": ["controller"]}, 'must implement the "reporter" interface'),
    ],
)
def test_specs_in_scopes_order(spec: Any, words: str) -> None:
    with pytest.raises(Rejected) as refused:
        take(spec)
    assert words in str(refused.value)
    assert take()


@pytest.mark.parametrize("moment", ["2016-07-20T15:51:05Z01:00", "2026-05-03T12:00:00", "2026-05-03 12:00:00Z", "", 7])
def test_times_that_break_a_report(moment: Any) -> None:
    with pytest.raises(Rejected):
        take(node={"latest": {"k": {"timestamp": moment, "value": "v"}}})


@pytest.mark.parametrize("moment", ["2026-05-03T12:00:00Z", "2026-05-03T12:00:00.123456789+00:00"])
def test_times_that_do_not(moment: str) -> None:
    assert take(node={"latest": {"k": {"timestamp": moment, "value": "v"}}})


def test_bodies() -> None:
    for body in (b"", b"[]", b"{"):
        with pytest.raises(Rejected):
            decoded(body)
    assert decoded(b"{} and more") == {}
    assert take(container={"nodes": 7}).nodes  # another case is another word, and looked over


def test_what_a_plugin_without_dockers_buttons_does() -> None:
    """T1 and T2, as Scope 1.13 does it: they are gone."""
    dockers = docker_node("running", "p")
    found = take(node={**NODE, "latestControls": {}})
    assert found.seen("c", dockers).buttons == []
    assert "docker_stop_container" in found.seen("c", dockers, last=False).buttons


def test_a_wrong_cell_ends_the_app() -> None:
    topology = {"table_templates": {"t": {"prefix": "t-", "type": "multicolumn-table", "columns": [{"id": "a"}]}}}
    good = {"t-row___a": {"timestamp": "2026-05-03T12:00:00Z", "value": "v"}}
    assert Seen({"latest": good}, topology).rows("t") == {"row": {"a": "v"}}
    with pytest.raises(Panic):
        Seen({"latest": {"t-row": {}}}, topology).rows("t")
