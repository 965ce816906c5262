"""The probes on this kernel: the answers fit its version and configuration, and nothing is left."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from netweather.kernel.features import features, probes
from netweather.kernel.features.features import FEATURES, ProbeEnvironment
from netweather.kernel.host_info import HostInfo
from tests.support.netns import ip

LATER = frozenset({"docker", "netem"})  # not this kernel's matter, or not needed


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def test_this_machine_can_work(tmp_path: Path) -> None:
    findings = features.probe_all(tmp_path / "state")
    assert features.works(findings), [(f.feature.name, f.detail) for f in findings if f.state != "yes"]
    assert not (tmp_path / "state").exists()


def test_what_a_kernel_is_new_enough_for_it_has_unless_it_was_built_without(tmp_path: Path) -> None:
    host = HostInfo.here()
    for finding in features.probe_all(tmp_path):
        feature = finding.feature
        if finding.state == "yes" or feature.name in LATER or not feature.minimum or host.version < version(feature.minimum):
            continue
        assert host.configuration is not None
        assert host.configuration.get(feature.option, "n") != "y", f"{feature.name}: {finding.detail}"


def test_nothing_is_left(tmp_path: Path) -> None:
    def ours() -> tuple[object, ...]:
        """What is this process's alone, and devices of the probes' names: other tests make namespaces meanwhile."""
        links = [line for line in ip("-o", "link").splitlines() if re.search(r"\bnw[vt]\d", line)]
        files = sorted(os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.exists())
        return links, files, threading.active_count(), os.readlink("/proc/self/ns/net"), list(tmp_path.iterdir())

    features.probe_all(tmp_path)  # what is kept for good (libbpf, netlink tables) is loaded now
    before = ours()
    features.probe_all(tmp_path)
    assert ours() == before
    assert before[0] == []


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_each_probe_answers_and_says_something(feature: features.Feature, tmp_path: Path) -> None:
    bench = ProbeEnvironment(tmp_path, HostInfo.here())
    try:
        finding = features.probe(feature, bench)
    finally:
        bench.close()
    assert finding.detail
    assert finding.state != "unknown", finding.detail


def test_a_docker_host_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    with pytest.raises(probes.NotSupported, match="not on this machine"):
        probes.docker(ProbeEnvironment(tmp_path, HostInfo.here()))


def test_a_state_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(probes.NotSupported, match="cannot be written"):
        probes.state_directory(ProbeEnvironment(tmp_path / "file" / "state", HostInfo.here()))


def test_locked_memory_counts_on_old_kernels_only(tmp_path: Path) -> None:
    assert "5.11" in probes.memlock(ProbeEnvironment(tmp_path, HostInfo("6.1.0", "x86_64")))
