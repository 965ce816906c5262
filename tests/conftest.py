"""What all tests share: levels by folder, who needs root, who needs the machine alone, and the heavy fixtures."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.cluster import binaries, install
from tests.cluster import node as cluster_node
from tests.cluster.node import Cluster
from tests.support import containerd as containerd_support
from tests.support import docker as docker_support
from tests.support import netns
from tests.support import podman as podman_support
from tests.support.machine import EMULATED, SLOW, machine
from tests.support.outcomes import skip_reason

HERE = Path(__file__).resolve().parent
LEVELS = ("unit", "native", "contract", "kernel", "fidelity", "guest", "e2e", "meta")

settings.register_profile("repeat", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeat")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the long tests too (marker full)")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background; what tests start must hear it
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before xdist names the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        _mark(item)
        _be_patient(item)
    if not config.getoption("--full"):
        long = [item for item in items if item.get_closest_marker("full")]
        if long:
            config.hook.pytest_deselected(items=long)
            items[:] = [item for item in items if not item.get_closest_marker("full")]
    items.sort(key=_order)


def _mark(item: pytest.Item) -> None:
    level = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
    if level in LEVELS:
        item.add_marker(level)
    if (level in ("kernel", "e2e") or item.get_closest_marker("root")) and os.geteuid():
        item.add_marker(pytest.mark.skip(reason="needs root: namespaces, BPF and Docker"))
    if level == "guest":  # a worker waits there for minutes, so it has nothing else to do
        item.add_marker(pytest.mark.xdist_group("guest"))
    elif runtime := _runtime(item):  # one worker runs them all, so that one daemon is enough
        item.add_marker(pytest.mark.xdist_group(runtime))
    elif item.get_closest_marker("serial"):
        item.add_marker(pytest.mark.xdist_group("serial"))


def _be_patient(item: pytest.Item) -> None:
    """pytest-timeout's patience grows on a slow machine, as every other."""
    marker = item.get_closest_marker("timeout")
    usual = marker.args[0] if marker else item.config.getoption("timeout") or float(item.config.getini("timeout"))
    item.add_marker(pytest.mark.timeout(usual * SLOW), append=False)


def _runtime(item: pytest.Item) -> str:
    """The container runtime whose daemon the test uses, or nothing."""
    names = getattr(item, "fixturenames", ())
    return next((runtime for runtime in ("docker", "containerd", "podman", "kubernetes") if runtime in names), "")


def _order(item: pytest.Item) -> int:
    """A guest first, then those with a daemon, beside the short ones on the other worker; those that need the machine alone last."""
    if item.get_closest_marker("guest") or EMULATED:  # in a guest the order is that of the command
        return 0
    return 3 if item.get_closest_marker("serial") else 1 if _runtime(item) else 2


def pytest_report_header() -> str:
    return f"speed: usual things take {SLOW:g} × as long as on a usual machine now; every patience is multiplied by it"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was not run, and why: the skips by reason, and what guests did not come to; and which unit tests take too long."""
    reports = [each for group in terminalreporter.stats.values() for each in group if isinstance(each, pytest.TestReport)]
    skips = Counter(skip_reason(each) for each in reports if each.skipped and not hasattr(each, "wasxfail"))
    if skips:
        terminalreporter.section("skipped, by reason")
    for why, count in sorted(skips.items(), key=lambda item: (-item[1], item[0])):
        terminalreporter.line(f"{count:5} {why}")
    slow = [each for each in reports if each.when == "call" and each.nodeid.startswith("tests/unit/") and each.duration > SLOW]
    if slow:
        terminalreporter.section(f"unit tests that took more than {SLOW:g} s")
    for each in sorted(slow, key=lambda each: -each.duration):
        terminalreporter.line(f"{each.duration:6.2f} s  {each.nodeid}")
    for each in reports:
        told: dict[str, Any] = dict(each.user_properties)
        if each.when == "call" and "guest" in told:
            terminalreporter.section(f"guest, {told['guest']}")
            for test in told["not run in the guest"]:
                terminalreporter.line(f"not run: {test}")


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outside pytest-timeout, which must not count the waiting
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    with machine(alone=item.get_closest_marker("serial") is not None):
        return (yield)


@pytest.fixture(scope="session")
def docker() -> Iterator[docker_support.Docker]:
    """A real Docker of this session's own, with the image nwt-busybox and the network nwt."""
    if reason := docker_support.missing():
        pytest.skip(reason)
    with docker_support.daemon() as running:
        yield running


@pytest.fixture(scope="session")
def containerd() -> Iterator[containerd_support.Containerd]:
    """A real containerd of this session's own, with its CRI plugin and an image of busybox."""
    if reason := containerd_support.missing():
        pytest.skip(reason)
    with containerd_support.daemon() as running:
        yield running


@pytest.fixture(scope="session")
def podman() -> Iterator[podman_support.Podman]:
    """A real Podman service of this session's own, with the image nwt-busybox and the network nwt."""
    if reason := podman_support.missing():
        pytest.skip(reason)
    with podman_support.daemon() as running:
        yield running


@pytest.fixture(scope="session")
def kubernetes(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The cluster of $KUBECONFIG, with Netweather in it; else a real node of this session's own, which is installed here."""
    if named := os.environ.get("KUBECONFIG"):
        yield cluster_node.named(Path(named))
        return
    if not binaries.built() and not request.config.getoption("--full"):
        pytest.skip("Kubernetes is not built here yet, which takes minutes: python -m tests.cluster up, or --full")
    if reason := cluster_node.missing():
        pytest.skip(reason)
    with cluster_node.running() as running:
        install.install(running)
        yield running


@pytest.fixture
def make_lab() -> Callable[..., AbstractContextManager[netns.Lab]]:
    """`with make_lab(bystander=True) as net:` namespaces joined by veth pairs."""
    return netns.lab


@pytest.fixture
def lab() -> Iterator[netns.Lab]:
    """A client and a server namespace, joined by a veth pair."""
    with netns.lab() as made:
        yield made
