"""The Helm chart, rendered by what Helm renders with, Go's templates and sprig, from Debian's packages: there is no Helm here."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support.packages import need
from tests.support.repository import ROOT

CHART = ROOT / "deploy" / "kubernetes" / "chart"
SOURCE = Path(__file__).with_name("chart") / "render.go"
PACKAGES = ("golang-go", "golang-github-masterminds-sprig-dev", "golang-k8s-sigs-yaml-dev")


def missing() -> str:
    """Why it can't be rendered here, or nothing."""
    return "" if _program().exists() else need(*PACKAGES)


def rendered(namespace: str, versions: Sequence[str], values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The objects that `helm template -n NAMESPACE` gives. values: in place of the chart's own, as -f has it."""
    files = {path.name: path.read_text() for path in sorted((CHART / "templates").glob("*.yaml"))}
    made = _render(files, namespace, versions, values or {})
    return [each for name in files for each in yaml.safe_load_all(made[name]) if each]


def notes(namespace: str) -> str:
    """What Helm prints after an installation."""
    return _render({"NOTES.txt": (CHART / "templates" / "NOTES.txt").read_text()}, namespace, (), {})["NOTES.txt"]


def _render(files: Mapping[str, str], namespace: str, versions: Sequence[str], values: Mapping[str, Any]) -> dict[str, str]:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    asked = {
        "files": files,
        "values": _merged(yaml.safe_load((CHART / "values.yaml").read_text()), values),
        "release": {"Name": "netweather", "Namespace": namespace, "Service": "Helm"},
        "chart": {key[:1].upper() + key[1:]: value for key, value in chart.items()},
        "versions": list(versions),
    }
    done = subprocess.run([_built()], input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _merged(known: Any, given: Any) -> Any:
    if not isinstance(known, dict) or not isinstance(given, Mapping):
        return given
    return {**known, **{key: _merged(known.get(key), value) for key, value in given.items()}}


def _program() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "netweather" / "tests" / f"chart-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]}"


def _built() -> Path:
    """The program, built when its source changed."""
    program = _program()
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="nwt-chart-", dir=program.parent) as folder:
            environment = {
                **os.environ,
                "GO111MODULE": "off",
                "GOPATH": "/usr/share/gocode",
                "GOFLAGS": "",
                "GOCACHE": f"{folder}/cache",
            }
            draft = Path(folder, "render")
            command = ["go", "build", "-o", str(draft), str(SOURCE)]
            done = subprocess.run(command, env={**environment, "CGO_ENABLED": "0"}, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            shutil.move(draft, program)
    return program
