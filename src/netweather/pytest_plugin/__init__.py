"""The pytest plugin: a test says which network it needs, gets it, and fails when it did not have it.

`@pytest.mark.network("3g", target="docker:shop", to="docker:db")` around a test; the `network` fixture inside one. Everything
that needs more than pytest is imported at first use: a run without such tests pays a few milliseconds.
"""

from netweather.pytest_plugin.hooks import (
    network,
    pytest_addoption,
    pytest_configure,
    pytest_report_teststatus,
    pytest_runtest_call,
    pytest_runtest_makereport,
    pytest_terminal_summary,
)

__all__ = [
    "network",
    "pytest_addoption",
    "pytest_configure",
    "pytest_report_teststatus",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_terminal_summary",
]
