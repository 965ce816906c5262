from __future__ import annotations

import base64
import re

from netweather.testing.web.film import Film, Frame, Section, Strip, film_page


def test_pictures_figures_and_what_stands_out() -> None:
    film = Film([Frame(100.5, b"one"), Frame(102.0, b"two")])
    strip = Strip("a <naive> shop", film, 100.0, {"first feedback": "2.0 s", "orders": "2"}, frozenset({"orders"}))
    page = film_page("A & B", "words", [Section("slow", [strip], (0, 0.5, 1, 2), "as 3G")])
    assert "<title>A &amp; B</title>" in page
    assert "a &lt;naive&gt; shop" in page
    assert "<dd class=bad>2</dd>" in page
    assert "<dd>2.0 s</dd>" in page
    assert page.count("nothing yet") == 1
    found = [base64.b64decode(one) for one in re.findall(r'base64,([^"]+)"', page)]
    assert found == [b"one", b"one", b"two"]
    assert page.count("class=same") == 1
    assert "http" not in page.replace("http-equiv", ""), "it stands alone"
