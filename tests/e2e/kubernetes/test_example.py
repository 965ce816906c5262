"""examples/05-kubernetes as its README prints it: it shows what it promises, and fails on a network that is as it is."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.node import Cluster
from tests.support.machine import SLOW
from tests.support.repository import ROOT

pytestmark = [pytest.mark.full, pytest.mark.timeout(400)]
README = ROOT / "examples" / "05-kubernetes" / "README.md"


def run(cluster: Cluster, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    (line,) = re.findall(r"^    (\.venv/bin/python .*)$", README.read_text(), re.MULTILINE)
    words = [str(folder / word) if word.endswith(".svg") else word for word in shlex.split(line)]
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, *words[1:], *more]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300 * SLOW, check=False)


def test_it_shows_what_it_promises(kubernetes: Cluster, tmp_path: Path) -> None:
    done = run(kubernetes, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^ +found: ", done.stdout, re.MULTILINE)) == 5
    assert (tmp_path / "response.svg").stat().st_size > 5000


def test_on_a_good_network_it_finds_nothing_and_fails(kubernetes: Cluster, tmp_path: Path) -> None:
    done = run(kubernetes, tmp_path, "--perfect")
    assert done.returncode == 1, done.stdout + done.stderr
    missing = re.findall(r"^ +NOT FOUND: (.*)$", done.stdout, re.MULTILINE)
    assert len(missing) == 4  # that it is as before at the end is so without any condition, too
