"""reports/collecting.py: which cell of the matrix a test is."""

from __future__ import annotations

import pytest

from netweather.reports.collecting import _without


@pytest.mark.parametrize(
    ("nodeid", "name"),
    [
        ("a.py::test_buy[3g]", "a.py::test_buy"),
        ("a.py::test_buy[lossy-wifi]", "a.py::test_buy"),
        ("a.py::test_buy[lossy-wifi-fast]", "a.py::test_buy[fast]"),
        ("a.py::test_buy[fast-lossy-wifi]", "a.py::test_buy[fast]"),
        ("a.py::test_buy[fast-3g-x]", "a.py::test_buy[fast-x]"),
        ("a.py::test_buy", "a.py::test_buy"),
    ],
)
def test_a_test_is_named_without_its_network(nodeid: str, name: str) -> None:
    network = "lossy-wifi" if "lossy" in nodeid else "3g"
    assert _without(nodeid, network) == name
