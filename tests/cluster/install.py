"""Netweather on a node, as a user installs it: an image of this checkout, and `kubectl apply -k` of an overlay of the base."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from tests.cluster.node import Node
from tests.support import containerd
from tests.support.repository import ROOT
from tools import image as images

BASE = ROOT / "deploy" / "kubernetes" / "base"
NAME = "docker.io/library/netweather:latest"
WAITS_S = 90


def install(node: Node) -> None:
    """Returns when the operator and the agent run."""
    _load_image(node)
    apply(node)


def apply(node: Node) -> None:
    """The same with the image that the node has already."""
    node.kubectl("apply", "--validate=false", "-k", str(_overlay(node)))
    for workload in ("deployment/operator", "daemonset/agent"):
        node.kubectl("-n", "netweather", "rollout", "status", workload, f"--timeout={WAITS_S}s", timeout=WAITS_S + 10)


def _load_image(node: Node) -> None:
    tree, archive = node.home / "netweather.layer", node.home / "netweather.tar"
    images.make_image(tree)
    settings = [words.removeprefix("ENV ").split() for words in images.CHANGES if words.startswith("ENV ")]
    containerd.packed(tree, NAME, {"Entrypoint": ["netweather"], "Env": settings[0]}, archive)
    tree.unlink()
    node.load(archive)
    archive.unlink()


def uninstall(node: Node) -> None:
    """Takes all of it away, as a user does, and returns when it is gone."""
    node.kubectl("delete", "-k", str(_overlay(node)), "--wait=true", timeout=WAITS_S)


def _overlay(node: Node) -> Path:
    """This node's runtime listens elsewhere, and its image comes from no registry."""
    overlay = node.home / "install"
    overlay.mkdir(exist_ok=True)
    shutil.copytree(BASE.parent, overlay / "kubernetes", dirs_exist_ok=True)  # kustomize takes no absolute paths
    base = "base" if "policy/v1" in node.kubectl("api-versions").split() else "before-1.21"
    changes = [
        {"op": "replace", "path": "/spec/template/spec/volumes/0/hostPath/path", "value": str(node.home)},
        {"op": "add", "path": "/spec/template/spec/containers/0/imagePullPolicy", "value": "Never"},
    ]
    patches = [
        {"target": {"kind": "DaemonSet"}, "patch": yaml.safe_dump(changes)},
        {"target": {"kind": "Deployment"}, "patch": yaml.safe_dump(changes[1:])},
    ]
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [f"kubernetes/{base}"], "patches": patches}))
    return overlay
