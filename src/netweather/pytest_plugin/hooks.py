"""What pytest calls. Here marks become conditions around a test's call, and evidence goes into the reports."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from netweather.errors import NetweatherError

if TYPE_CHECKING:
    from netweather.pytest_plugin.evidence import Evidence
    from netweather.pytest_plugin.network import Network

MARK = (
    'network(profile=None, *, target=None, to=None, delay=None, loss=None, …, verify="kernel", allow_unmatched=False, '
    "shared=False): the network that this test needs; the words are those of `netweather set`, with _ for -"
)
_NETWORK = pytest.StashKey["Network"]()
_BROKEN = "netweather_error"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("netweather", "bad networks (netweather)")
    group.addoption("--network-target", action="append", default=[], metavar="TARGET",
                    help="whose network it is where a mark or a call doesn't say: docker:NAME, netns:NAME …")  # fmt: skip
    group.addoption("--network-lease", default=None, metavar="TIME",
                    help="how soon a condition ends by itself when the run is killed (default: 30s)")  # fmt: skip
    group.addoption("--skip-network", action="store_true", help="skip the tests that need a bad network")
    parser.addini("network_target", "as --network-target", type="args", default=[])
    parser.addini("network_lease", "as --network-lease", default="30s")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARK)


def _network(item: pytest.Item) -> Network:
    """The one of this test, made when it is first needed."""
    if _NETWORK not in item.stash:
        from netweather.engine import Engine
        from netweather.pytest_plugin.network import Network

        config = item.config
        targets = config.getoption("--network-target") or config.getini("network_target")
        lease = config.getoption("--network-lease") or config.getini("network_lease")

        def tell(evidence: Evidence) -> None:
            from netweather.pytest_plugin.evidence import PROPERTY

            import json

            item.user_properties.append((PROPERTY, json.dumps(evidence.plain(), ensure_ascii=False)))

        item.stash[_NETWORK] = Network(item.nodeid, targets=tuple(targets), lease=lease, engine=Engine(), tell=tell)
    return item.stash[_NETWORK]


@pytest.fixture
def network(request: pytest.FixtureRequest) -> Network:
    """Bad networks inside a test: `with network.degrade("docker:db", delay="2s", loss="3%"): …`, `network.partition(a, b)`."""
    _skip(request.node)
    return _network(request.node)


def _skip(item: pytest.Item) -> None:
    if item.config.getoption("--skip-network"):
        pytest.skip("--skip-network")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """A mark's condition is there when all fixtures are, and for no longer than the test's own code."""
    marks = list(item.iter_markers("network"))
    if not marks:
        return (yield)
    _skip(item)
    with ExitStack() as stack:
        for mark in reversed(marks):  # those of the module first, the test's own last
            stack.enter_context(_of_mark(item, mark))
        return (yield)


def _of_mark(item: pytest.Item, mark: pytest.Mark) -> Any:
    words = {key: _filled(value, item) for key, value in mark.kwargs.items()}
    if len(mark.args) > 1:
        pytest.fail(f"network takes one profile, not {mark.args}", pytrace=False)
    return _network(item).degrade(words.pop("target", None), mark.args[0] if mark.args else None, **words)


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
    from netweather.pytest_plugin.evidence import PROPERTY, told

    lines = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown" or not hasattr(report, "user_properties"):
                continue
            found = [value for name, value in report.user_properties if name == PROPERTY]
            lines += [(report.nodeid, value) for value in found]
    if not lines:
        return
    import json

    terminalreporter.section("networks")
    for test, value in dict.fromkeys(lines):
        terminalreporter.write_line(f"{test}\n    {told(json.loads(value))}")
