from __future__ import annotations

from tests.unit.agent.conftest import Api


def test_requests_are_counted_by_declared_paths(api: Api) -> None:
    api.put("slow")
    api.put("other")
    api("GET", "/v1/conditions/none")
    api("GET", "/v1/nowhere")
    text = api("GET", "/v1/metrics").text
    assert 'netweather_requests_total{method="PUT",path="/v1/conditions/{name}",status="200"} 2.0' in text
    assert 'status="404"} 1.0' in text
    assert 'path="other"' in text
    assert "nowhere" not in text
    assert "netweather_targets 0.0" in text
