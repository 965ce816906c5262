"""pytest_plugin.py: which of two errors a test ends with, on a real network and by pytest's own pytester."""

from __future__ import annotations

import pytest

from tests.support.rig import Rig

pytest_plugins = ["pytester"]
NOTE = "the network was not as the test declared it: *no packet matched it*"


def test_the_tests_own_error_is_its_outcome_and_the_networks_a_note(
    rig: Rig, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETWEATHER_STATE", str(rig.state))
    pytester.makepyfile(
        f"""
        import pytest

        BAD = {{"target": {rig.target.reference!r}, "delay": "10ms"}}

        def test_in_a_block(network):
            with network.degrade(BAD["target"], delay="10ms"):
                raise ConnectionError("the database is not there")

        @pytest.mark.network(**BAD)
        def test_marked():
            assert "home" == "try again later"

        @pytest.mark.network(**BAD)
        def test_fails_by_word():
            pytest.fail("said so")

        @pytest.mark.network(**BAD)
        def test_skips():
            pytest.skip("not today")

        @pytest.mark.network(**BAD)
        def test_nothing_fails():
            pass
        """
    )
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rA")
    done.assert_outcomes(failed=3, skipped=1, errors=1)
    done.stdout.fnmatch_lines([
        "*FAILURES*",
        "*_ test_in_a_block _*",
        "E * ConnectionError: the database is not there", f"E * {NOTE}",
        "*_ test_marked _*",
        "E * AssertionError: assert 'home' == 'try again later'", f"E * {NOTE}",
        "*_ test_fails_by_word _*",
        "E * Failed: said so",
        "*= networks =*",
        "*NOT AS DECLARED*no packet matched it*",
    ])  # fmt: skip
    rig.until_nothing_remains()
