from __future__ import annotations

import pytest

from netweather.errors import UsageError
from netweather.testing.web.film import Film, Frame
from netweather.testing.web.web_page import Site, Visit, compared


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://shop.example/a?b", "shop.example", 80),
        ("https://shop.example:8443/", "shop.example", 8443),
        ("127.0.0.1:8080/a", "127.0.0.1", 8080),
        ("https://[2001:db8::1]/", "2001:db8::1", 443),
    ],
)
def test_where_a_page_is(url: str, host: str, port: int) -> None:
    site = Site.of(url)
    assert (site.host, site.port) == (host, port)
    assert site.url.endswith(url)


@pytest.mark.parametrize("url", ["ftp://shop.example/", "http://", "http://shop.example:99999/", ""])
def test_what_is_no_page(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Site.of(url)
    assert caught.value.code == "bad-url"


def test_the_slowest_decides_which_moments_are_shown() -> None:
    film = Film([Frame(100.0, b"one"), Frame(101.5, b"two")])
    visits = [Visit("perfect", film, 100.0, 0.1, 0.2, 0.3), Visit("3g", film, 100.0, 0.5, 1.5, 1.9)]
    page = compared("http://shop.example/", visits)
    assert page.count("<figure") == 2 * 5
    assert "<figcaption>3 s</figcaption>" in page
    assert "<figcaption>5 s</figcaption>" not in page
    never = compared("http://shop.example/", [Visit("cut", film, 100.0, None, None, None)])
    assert "<dd class=bad>never</dd>" in never
    assert "<figcaption>60 s</figcaption>" in never


def test_for_machines() -> None:
    assert Visit("cut", Film(), 100.0, 0.51234, None, None).plain() == {
        "network": "cut", "firstByte": 0.512, "firstSeen": None, "loaded": None,
    }  # fmt: skip
