"""The Helm chart: as it would be written now, and with its values as they are the same as the kustomize base."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import charts
from tests.support.repository import ROOT
from tools import gen_chart

NEW, OLD = ("apps/v1", "policy/v1"), ("apps/v1", "policy/v1beta1")


@pytest.fixture
def chart() -> None:
    if reason := charts.missing():
        pytest.skip(reason)


def named(objects: list[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {(each["apiVersion"], each["kind"], each["metadata"]["name"]): each for each in objects}


def kustomized(folder: str) -> list[dict[str, Any]]:
    """The objects that `kubectl apply -k` sends, without those that Helm makes otherwise: the namespace and the kinds."""
    command = ["kubectl", "kustomize", str(ROOT / "deploy" / "kubernetes" / folder)]
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("no kubectl here (Debian: kubernetes-client)")
    return [each for each in yaml.safe_load_all(text) if each["kind"] not in ("Namespace", "CustomResourceDefinition")]


def test_the_chart_is_not_stale() -> None:
    assert gen_chart.stale() == [], f"run `{gen_chart.COMMAND}`"


def test_a_file_that_is_too_much_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gen_chart, "CHART", tmp_path)
    (tmp_path / "old.yaml").touch()
    assert tmp_path / "old.yaml" in gen_chart.stale()


@pytest.mark.parametrize(("folder", "versions"), [("base", NEW), ("before-1.21", OLD)])
def test_rendered_as_it_is_it_is_the_base(chart: None, folder: str, versions: tuple[str, ...]) -> None:
    assert named(charts.rendered("netweather", versions)) == named(kustomized(folder))


def test_values_come_where_they_belong(chart: None) -> None:
    values = {
        "image": {"repository": "registry.example.org/nw", "tag": "2", "pullPolicy": "Always"},
        "runtime": {"folder": "/run/crio", "socket": "crio.sock"},
        "policy": {"most": "10%", "protect": ["kube-system", "payments"]},
        "operator": {"replicas": 1, "arguments": ["--help"], "resources": {"limits": {"memory": "1Gi"}}},
        "agent": {"arguments": ["--listen", "127.0.0.1:8753"]},
    }
    found = {each["kind"]: each for each in charts.rendered("chaos", NEW, values) if each["kind"] in ("Deployment", "DaemonSet")}
    operator, agent = (found[kind]["spec"]["template"]["spec"]["containers"][0] for kind in ("Deployment", "DaemonSet"))
    assert {operator["image"], agent["image"]} == {"registry.example.org/nw:2"}
    assert (operator["imagePullPolicy"], found["Deployment"]["spec"]["replicas"]) == ("Always", 1)
    assert operator["args"][1:] == [
        "--lease-namespace", "chaos", "--most", "10%", "--protect", "kube-system", "--protect", "payments", "--protect", "chaos", "--help",
    ]  # fmt: skip
    assert operator["resources"] == {"limits": {"memory": "1Gi"}, "requests": {"cpu": "50m", "memory": "128Mi"}}
    assert agent["args"][-2:] == ["--listen", "127.0.0.1:8753"]
    assert found["DaemonSet"]["spec"]["template"]["spec"]["volumes"][0]["hostPath"]["path"] == "/run/crio"
    assert {"name": "CONTAINER_RUNTIME_ENDPOINT", "value": "unix:///run/cri/crio.sock"} in agent["env"]


def test_another_namespace_stands_everywhere(chart: None) -> None:
    for each in charts.rendered("chaos", NEW):
        assert "netweather" not in {each["metadata"].get("namespace"), *(one["namespace"] for one in each.get("subjects", ()))}
    assert "--installed-in chaos" in charts.notes("chaos")
