"""reports/outcomes.py: what test runners of several languages write."""

from __future__ import annotations

from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.reports.outcomes import Case, find, read

WRITTEN = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="a"><properties/>
<testcase classname="shop.Test" name="buy[1]" time="1,234.5"><system-out>said</system-out></testcase>
<testcase name="late" time="0.25"><failure message="too late">line 7</failure></testcase>
<testcase classname="x" name="broken"><error message="boom"/><skipped/></testcase>
<testcase classname="x" name="left out" time="nonsense"><skipped message="not here"/></testcase>
</testsuite></testsuites>"""


def test_outcomes_times_and_logs(tmp_path: Path) -> None:
    (tmp_path / "out.xml").write_text(WRITTEN)
    assert read(tmp_path / "out.xml") == [
        Case("shop.Test buy[1]", "passed", 1234.5, "said"),
        Case("late", "failed", 0.25, "too late\nline 7"),
        Case("x broken", "failed", 0.0, "boom"),
        Case("x left out", "skipped", 0.0, "not here"),
    ]


def test_a_suite_alone_is_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "out.xml").write_text('<testsuite><testcase name="a" time="1"/></testsuite>')
    assert [case.test for case in read(tmp_path / "out.xml")] == ["a"]


@pytest.mark.parametrize("text", [None, "", "<testsuite>", "no xml"])
def test_what_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "out.xml").write_text(text)
    with pytest.raises(NetweatherError, match="can't be read as JUnit XML"):
        read(tmp_path / "out.xml")


SMALL = '<testsuite name="a"><testcase name="b" time="1"><system-out><![CDATA[<!x>]]></system-out></testcase></testsuite>'


@pytest.mark.parametrize("wrapped", ["{}", '<?xml version="1.0"?>\n<testsuites>{}</testsuites>\n'])
def test_a_log_may_have_a_document_at_its_end(wrapped: str) -> None:
    cases, rest = find("begun\n" + wrapped.format(SMALL) + "bye\n")
    assert (cases, rest) == ([Case("b", "passed", 1.0, "<!x>")], "begun\nbye\n")


def test_of_several_documents_the_last_counts() -> None:
    first, last = (f"<testsuites><testsuite><testcase name='{name}'/></testsuite></testsuites>\n" for name in "ab")
    cases, rest = find(first + last)
    assert ([case.test for case in cases], rest) == (["b"], first)


BOMB = '<!DOCTYPE testsuites [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize("log", ["", "<testsuite", "</testsuite>", "<testsuite><testcase></testsuite>"])
def test_a_log_without_a_whole_one_is_refused(log: str) -> None:
    with pytest.raises(NetweatherError, match="JUnit XML"):
        find(log)


def test_entities_are_no_part_of_a_document() -> None:
    with pytest.raises(NetweatherError):
        find(f"{BOMB}<testsuites><testcase name='&b;'/></testsuites>")
    with pytest.raises(NetweatherError, match="can't be read"):
        find(f"<testsuites>{BOMB}<testcase name='b'/></testsuites>")
