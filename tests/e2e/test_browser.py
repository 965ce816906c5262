"""testing/web/browser.py with a real Chromium: what docs/browser.md prints, and the pages that we make."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.testing import Lab
from netweather.testing.web import browser
from netweather.testing.web.browser import Browser
from netweather.testing.web.film import Film, Frame, Section, Strip, film_page
from tests.e2e.test_lab_page import run_pytest
from tests.support.packages import need
from tests.support.repository import ROOT
from tests.support.rig import until

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("examples")]


@pytest.fixture(scope="module", autouse=True)
def chromium() -> None:
    if reason := need("chromium", "chromium-driver", "fonts-dejavu-core"):
        pytest.skip(reason)


@pytest.fixture(scope="module")
def lab(chromium: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWEATHER_STATE", str(tmp_path_factory.mktemp("state")))
        with Lab("client", "site") as made:
            made["site"].start("python3", "-m", "http.server", "80", ready=80, folder=made.folder)
            yield made


@pytest.fixture(scope="module")
def opened(lab: Lab) -> Iterator[Browser]:
    with Browser(lab["client"]) as made:
        yield made


def test_the_page_of_the_docs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "browser.md").read_text()
    (tests,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    said = run_pytest(tmp_path, tests)
    assert "1 passed" in said, said


def test_webdriver_and_pictures_meet_no_condition(lab: Lab, opened: Browser) -> None:
    """With everything of the host dropped, both still work; the site does not."""
    with lab.degrade("client", block="drop", allow_unmatched=True), opened.filming() as film:
        opened.driver.get("data:text/html,<title>first</title><h1>first")
        until(lambda: opened.driver.title == "first", 20, "the driver drives")
        begin = time.time()
        opened.driver.execute_script("document.body.innerHTML = '<h1>second</h1>'")
        until(lambda: film.changes(begin), 20, "a picture of the change")
    assert film.first_feedback(begin) is not None
    assert all(frame.png.startswith(b"\x89PNG") for frame in film.frames)


def test_our_pages_open_without_an_error(lab: Lab, opened: Browser) -> None:
    with opened.filming() as real:
        opened.driver.get("data:text/html,<h1>x")
        until(lambda: real.frames, 20, "a picture")
    film = Film([Frame(1.0, real.frames[-1].png)])
    strips = [Strip("one", film, 0.0, {"loaded": "1 s"}), Strip("two", film, 0.0, {"loaded": "2 s"}, frozenset({"loaded"}))]
    (lab.folder / "film.html").write_text(film_page("Side by side", "", [Section("3g", strips, (0.5, 1, 2))]))
    driver = opened.driver
    driver.get("http://site/film.html")
    until(lambda: driver.title == "Side by side", 20, "it opens")
    complete = "return [...document.images].every(image => image.complete && image.naturalWidth > 0) && document.images.length"
    until(lambda: driver.execute_script(complete) == 4, 20, "all pictures show")
    tops = driver.execute_script("return [...document.images].map(image => Math.round(image.getBoundingClientRect().top))")
    assert len(set(tops)) == 2, "a row for each"
    loaded = "return performance.getEntriesByType('resource').map(one => one.name).filter(name => !name.startsWith('data:'))"
    assert driver.execute_script(loaded) == [], "it stands alone"


def test_no_browser_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "PROGRAMS", ("no-such-browser",))
    with pytest.raises(NetweatherError, match="no-such-browser") as caught, Browser(lab["client"]):
        pass
    assert caught.value.code == "no-browser"
