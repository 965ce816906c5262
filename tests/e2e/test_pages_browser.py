"""reports/matrix_pages.py and page.html in a real browser: the page opens, sorts and shows its plots, and the console stays empty."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netweather.reports.matrix import Cell, CellOutcome, Matrix
from netweather.reports.matrix_pages import write

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and its driver are not installed: tools/apt-test.txt"),
    pytest.mark.timeout(180),
]


def evidence(packets: int, dropped: int) -> dict[str, Any]:
    series = [[second / 2, packets * second // 20, dropped * second // 20] for second in range(1, 21)]
    found = {"target": "docker:shop", "condition": "profile 3g to docker:db", "inForce": True, "seconds": 10.0}
    return {**found, "packets": packets, "dropped": dropped, "series": series}


def cell(test: str, network: str, outcome: CellOutcome, seconds: float) -> Cell:
    told = () if network == "perfect" else (evidence(400, 20),)
    return Cell(test, network, outcome, seconds, "</pre><script>throw 'not HTML'</script> & what it said", told)


MATRIX = Matrix(
    "shop on 2 networks",
    [
        cell("b_quick", "perfect", "passed", 0.2), cell("b_quick", "3g", "passed", 12.0),
        cell("a_slow", "perfect", "passed", 9.0), cell("a_slow", "3g", "passed", 9.5),
        cell("c_breaks", "perfect", "passed", 1.0), cell("c_breaks", "3g", "failed", 0.5),
    ],
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("chromium")
    for word in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1200,1600",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    environment = {**os.environ, "TMPDIR": str(profile)}  # it leaves things there
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER, env=environment))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """The page, opened from its file; nothing may have gone wrong in it at the end."""
    write(MATRIX, tmp_path / "networks.html", MATRIX.shortcomings())
    browser.get((tmp_path / "networks.html").as_uri())
    yield browser
    assert browser.get_log("browser") == []


def rows(page: Any) -> list[str]:
    return [each.text for each in page.find_elements("css selector", "tbody tr th")]


def test_it_opens_and_says_what_is_wrong(page: Any) -> None:
    assert page.title == "shop on 2 networks"
    assert page.find_element("css selector", "ul.bad").text == "c_breaks on 3g: failed"
    assert [each.text for each in page.find_elements("css selector", "thead th")] == ["test", "perfect", "3g"]
    assert len(page.find_elements("css selector", "details[open]")) == 1  # the one that failed


def test_headings_sort(page: Any) -> None:
    test, perfect, third = page.find_elements("css selector", "thead th")
    assert rows(page) == ["b_quick", "a_slow", "c_breaks"]
    test.click()
    assert rows(page) == ["a_slow", "b_quick", "c_breaks"]
    test.click()
    assert rows(page) == ["c_breaks", "b_quick", "a_slow"]
    assert test.get_attribute("aria-sort") == "descending"
    perfect.click()
    assert rows(page) == ["b_quick", "c_breaks", "a_slow"]
    third.click()
    assert rows(page) == ["a_slow", "b_quick", "c_breaks"]  # those that pass first


def test_a_cell_leads_to_its_evidence_and_log(page: Any) -> None:
    page.find_element("link text", "✓ 9.5 s (1.1 ×)").click()
    details = page.find_element("css selector", "details:target")
    assert details.get_attribute("open") is not None
    assert "</pre><script>" in details.find_element("css selector", "pre").text
    assert "400 packets, 20 of them dropped" in details.text


def test_the_plots_are_seen(page: Any) -> None:
    durations = page.find_element("css selector", "svg:not(.packets)")
    assert durations.size["height"] > 100
    bars = {each.get_attribute("class"): each.size for each in durations.find_elements("css selector", "rect")}
    assert set(bars) == {"passed", "failed"}
    plot = page.find_element("css selector", "details[open] svg.packets")
    assert plot.size["width"] > 300
    met, lost = (plot.find_elements("css selector", f"rect.{kind}") for kind in ("met", "lost"))
    assert len(met) == len(lost) == 20
    assert met[0].size["height"] > 5 * lost[0].size["height"] > 0
    assert met[0].value_of_css_property("fill") != lost[0].value_of_css_property("fill")


def test_nothing_is_asked_of_a_network(page: Any) -> None:
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0


@pytest.mark.parametrize("width", [400, 1200])
def test_it_fits_the_window(page: Any, width: int) -> None:
    page.set_window_size(width, 900)
    assert page.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.set_window_size(1200, 1600)
