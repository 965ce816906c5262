"""The kernel suite where the kernel is Debian's, with netem and without tcx: all in one boot."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET

import pytest

from tests.support import guest

INSIDE = ["tests/contract", "tests/kernel/kernel/test_hooks.py", "tests/kernel/kernel/test_bpf.py"]
INSIDE += ["tests/kernel/kernel/test_netemlines.py", "tests/kernel/kernel/test_netemways.py"]

pytestmark = [pytest.mark.full, pytest.mark.root, pytest.mark.timeout(900), pytest.mark.xdist_group("guest")]


@pytest.mark.skipif("NETWEATHER_GUEST" in os.environ, reason="this is the guest")
def test_the_suite_passes_in_a_guest() -> None:
    try:
        result = guest.run(INSIDE, patience=800)
    except guest.NoGuest as error:
        pytest.skip(str(error))
    assert result.code == 0, result.text
    suite = ET.fromstring(result.junit).find("testsuite")
    assert suite is not None
    assert int(suite.get("tests", "0")) > 0
