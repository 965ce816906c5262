"""What pytest calls. Here marks become conditions around a test's call, and evidence goes into the reports."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from netweather.errors import NetweatherError

if TYPE_CHECKING:
    from netweather.reports.network_evidence import Evidence
    from netweather.results import TargetRef
    from netweather.service import Service
    from netweather.testing.labs.lab import Lab
    from netweather.testing.network import Network
    from netweather.testing.web.browser import Browser

MARK = (
    'network(profile=None, *, target=None, to=None, delay=None, loss=None, …, verify="kernel", allow_unmatched=False, '
    "shared=False): the network that this test needs; keywords are the options of `netweather set`, with _ for -"
)
LAB_MARK = (
    "lab(*hosts, links=None, file=None): the hosts of the fixture `lab` (default: client and server), or a YAML file "
    "beside the test"
)
_NETWORK = pytest.StashKey["Network"]()
_KNOWN = pytest.StashKey[dict[tuple[str, ...], list["TargetRef"]]]()
_SERVICE = pytest.StashKey["Service"]()
_BROKEN = "netweather_error"
PERFECT = "perfect"
PROPERTY = "network"
"""Reports carry evidence as user properties of this name: JUnit XML has them, and xdist's workers send them along."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("netweather", "bad networks (netweather)")
    group.addoption("--network-target", action="append", default=[], metavar="TARGET",
                    help="default target: docker:NAME, netns:NAME …")  # fmt: skip
    group.addoption("--network-lease", default=None, metavar="TIME",
                    help="time after which conditions end if pytest is killed (default: 30s)")  # fmt: skip
    group.addoption("--network-matrix", default=None, metavar="PROFILES",
                    help="run each test that has no condition of its own on each of these networks: perfect,4g,3g,lossy-wifi")  # fmt: skip
    group.addoption("--network-report", action="append", default=[], metavar="FILE", type=Path,
                    help="test × network as a page: .html, .md or .xml; repeatable")  # fmt: skip
    group.addoption("--network-direct", action="store_true",
                    help="do it in the run's own processes, not through the agent (needs root)")  # fmt: skip
    group.addoption("--skip-network", action="store_true", help="skip the tests that need a bad network")
    parser.addini("network_target", "as --network-target", type="args", default=[])
    parser.addini("network_lease", "as --network-lease", default="30s")
    parser.addini("network_matrix", "as --network-matrix", default="")
    parser.addini(
        "network_must_pass", "networks of the matrix on which all tests must pass (default: all of them)", type="args", default=[]
    )
    parser.addini("network_max_slowdown", "how many times as long a test may take as on the perfect network", default="")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARK)
    config.addinivalue_line("markers", LAB_MARK)
    words = _setting(config, "matrix")
    if not hasattr(config, "workerinput") and (words or config.getoption("--network-report")):
        from netweather.reports.collecting import Collector

        names = _networks(config)
        if not names:
            raise pytest.UsageError("--network-report needs --network-matrix")
        config.pluginmanager.register(Collector(config, names), "netweather-matrix")


def _setting(config: pytest.Config, name: str) -> Any:
    """What the command line says, or else the ini file."""
    given = config.getoption(f"--network-{name}")
    return given or config.getini(f"network_{name}")


def _networks(config: pytest.Config) -> list[str]:
    """The networks of the matrix; none without one. Raises pytest.UsageError."""
    words = _setting(config, "matrix")
    if not words:
        return []
    from netweather.reports.matrix import network_names

    try:
        return network_names(words)
    except NetweatherError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test without a condition of its own runs on every network of the matrix: where its marks or the run name a target."""
    networks = _networks(metafunc.config)
    if not networks:
        return
    marks = list(metafunc.definition.iter_markers("network"))
    if any(_complete(mark) for mark in marks):
        return
    if marks or _setting(metafunc.config, "target"):
        metafunc.fixturenames.append("network_profile")
        metafunc.parametrize("network_profile", networks, indirect=True)


def _complete(mark: pytest.Mark) -> bool:
    """Whether it says itself what is wrong with the network."""
    from netweather.testing.network_request import has_condition

    return has_condition(mark.args[0] if mark.args else None, mark.kwargs)


@pytest.fixture
def network_profile(request: pytest.FixtureRequest) -> str | None:
    """The network of the matrix on which this test runs; None without a matrix."""
    return getattr(request, "param", None)


def _network(item: pytest.Item) -> Network:
    """The one of this test, made when it is first needed."""
    if _NETWORK not in item.stash:
        from netweather.testing.network import Network

        config = item.config
        targets, lease = _setting(config, "target"), _setting(config, "lease")

        def tell(evidence: Evidence) -> None:
            item.user_properties.append((PROPERTY, json.dumps(evidence.plain(), ensure_ascii=False)))

        item.stash[_NETWORK] = Network(item.nodeid, targets=tuple(targets), lease=lease, service=_service(config), tell=tell,
                                      known=config.stash.setdefault(_KNOWN, {}))  # fmt: skip
    return item.stash[_NETWORK]


def _service(config: pytest.Config) -> Service:
    """Who carries it out, one for the whole run: the agent when there is one, else this process."""
    if _SERVICE not in config.stash:
        from netweather.connecting import connect
        from netweather.settings import Settings

        config.stash[_SERVICE] = connect(Settings.load(), direct=config.getoption("--network-direct"))
    return config.stash[_SERVICE]


def pytest_unconfigure(config: pytest.Config) -> None:
    close = getattr(config.stash.get(_SERVICE, None), "close", None)
    if close is not None:
        close()


@pytest.fixture
def network(request: pytest.FixtureRequest) -> Network:
    """Bad networks inside a test: `with network.degrade("docker:db", delay="2s", loss="3%"): …`, `network.partition(a, b)`."""
    _skip(request.node)
    return _network(request.node)


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Hosts of the test's own, without Docker: `@pytest.mark.lab("client", "server")`, `lab["server"].start(…)`."""
    _skip(request.node)
    from netweather.testing.labs.lab import Lab

    mark = request.node.get_closest_marker("lab")
    words = dict(mark.kwargs) if mark else {}
    file = words.pop("file", None)
    network = _network(request.node)
    hosts = mark.args if mark and mark.args else ("client", "server")
    made = Lab.load(request.path.parent / file, network) if file else Lab(*hosts, network=network, **words)
    with made:
        yield made
        for name, text in made.logs().items():
            request.node.add_report_section("teardown", f"lab: {name}", text)


@pytest.fixture
def browser(lab: Lab) -> Iterator[Browser]:
    """Chromium on the lab's first host, driven by Selenium: `browser.driver`, `browser.filming()`, `browser.timing()`."""
    from netweather.testing.web.browser import Browser

    with Browser(next(iter(lab.hosts.values()))) as made:
        yield made


def _skip(item: pytest.Item) -> None:
    if item.config.getoption("--skip-network"):
        pytest.skip("--skip-network")


def _profile(item: pytest.Item) -> str | None:
    """The network of the matrix that an item is for."""
    callspec = getattr(item, "callspec", None)
    found: str | None = callspec.params.get("network_profile") if callspec else None
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    profile = _profile(item)
    if profile is not None:
        from netweather.reports.collecting import note

        note(item, profile)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """A mark's condition is there when all fixtures are, and for no longer than the test's own code."""
    wanted = list(_wanted(item))
    if not wanted:
        return (yield)
    _skip(item)
    with ExitStack() as stack:
        for target, profile, words in wanted:
            stack.enter_context(_network(item).degrade(target, profile, **words))
        return (yield)


def _wanted(item: pytest.Item) -> Iterator[tuple[Any, str | None, dict[str, Any]]]:
    """Target, profile and further words of each condition that an item needs; those of the module's marks first."""
    matrix = _profile(item)
    marks = list(item.iter_markers("network"))
    for mark in reversed(marks):
        words = {key: _filled(value, item) for key, value in mark.kwargs.items()}
        if len(mark.args) > 1:
            pytest.fail(f"network takes one profile, not {mark.args}", pytrace=False)
        if _complete(mark):
            yield words.pop("target", None), mark.args[0] if mark.args else None, words
        elif matrix not in (None, PERFECT):
            yield words.pop("target", None), matrix, words
    if not marks and matrix not in (None, PERFECT):  # nobody said that this test uses the network at all
        yield None, matrix, {"allow_unmatched": True}


def _filled(value: Any, item: pytest.Item) -> Any:
    """`"docker:{shop}"` with what the fixture `shop` gave to this test."""
    if isinstance(value, str) and "{" in value:
        return value.format_map(getattr(item, "funcargs", {}))
    return [_filled(each, item) for each in value] if isinstance(value, list | tuple) else value


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """An error of ours is told in its own words; a network that was not as declared makes the test an error, never a pass."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, NetweatherError) and report.outcome == "failed":
        setattr(report, _BROKEN, True)
        report.longrepr = f"{item.nodeid}\n{error}"
    return report


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    if getattr(report, _BROKEN, False) and report.when == "call":
        return "error", "E", "ERROR"
    return None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A line for each condition of each test."""
    from netweather.reports.network_evidence import told

    lines = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown" or not hasattr(report, "user_properties"):
                continue
            found = [value for name, value in report.user_properties if name == PROPERTY]
            lines += [(report.nodeid, value) for value in found]
    if not lines:
        return
    terminalreporter.section("networks")
    for test, value in dict.fromkeys(lines):
        terminalreporter.write_line(f"{test}\n    {told(json.loads(value))}")
