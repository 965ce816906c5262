"""The manifests beside the operator's: a real API server takes them as they are."""

from __future__ import annotations

import pytest

from tests.cluster.node import Cluster
from tests.support.repository import ROOT

pytestmark = pytest.mark.timeout(300)  # the first of them starts the node


def test_the_scope_plugin_s(kubernetes: Cluster) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "weave"}}
    kubernetes.apply(namespace)
    try:
        manifest = str(ROOT / "deploy" / "scope-plugin.yaml")
        told = kubernetes.kubectl("apply", "--validate=false", "--dry-run=server", "-f", manifest)
    finally:
        kubernetes.kubectl("delete", "namespace", "weave", "--wait=false")
    assert told == "daemonset.apps/weavescope-traffic-control-plugin created (server dry run)\n"
