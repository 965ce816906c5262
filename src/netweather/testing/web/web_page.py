"""One page on several networks: loaded by a real browser on each, filmed, timed, and put side by side. Needs root.

The browser stands in a namespace of its own, with a gate beside it that leads to the hosts that the page asks for; the network
under test is between the two, at packet level. Nothing of the site or of this machine's network is changed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from netweather.errors import UsageError
from netweather.host.tcp_relay import Relay
from netweather.kernel.waiting import until
from netweather.reports.matrix import PERFECT
from netweather.testing.labs.lab import Lab
from netweather.testing.web.browser import Browser
from netweather.testing.web.film import Film, Section, Strip, film_page
from netweather.testing.web.first_bytes import Incomplete, host_in

PORTS = {"http": 80, "https": 443}
MOMENTS = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 45.0, 60.0)
STANDING_S, SCRIPT_S = 0.5, 2.0


@dataclass(frozen=True)
class Visit:
    """A page on one network. Times in seconds since the navigation began; None: not within the patience.

    seen: the first text or picture (first contentful paint); loaded: the page with all that belongs to it."""

    network: str
    film: Film
    began: float
    first_byte: float | None
    seen: float | None
    loaded: float | None

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        times = {"firstByte": self.first_byte, "firstSeen": self.seen, "loaded": self.loaded}
        return {"network": self.network} | {name: round(value, 3) if value is not None else None for name, value in times.items()}


@dataclass(frozen=True)
class Site:
    """Where a URL leads. Raises UsageError(code="bad-url")."""

    url: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Site:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in PORTS or not parts.hostname or port == -1:
            raise UsageError("bad-url", f"{url!r} is not the address of a page", "", "write http://HOST:PORT/PATH or https://…")
        return cls(parts.geturl(), parts.hostname, port or PORTS[parts.scheme])


def visit(url: str, networks: Sequence[str], patience: float, tell: Callable[[Visit], None] = lambda visit: None) -> list[Visit]:
    """Loads the page on each network with a fresh browser. networks: profiles; patience: seconds for each; tell: hears each visit.

    Raises NetweatherError: no-browser, lab-failed; UsageError(code="bad-url").
    """
    site = Site.of(url)
    visits = []
    with Lab("browser", "gate") as lab:
        gate = lab["gate"]
        with contextlib.ExitStack() as stack:
            for port in {site.port, *PORTS.values()}:
                stack.enter_context(Relay((gate.address, port), partial(_asked_for, site, port), listen_in=gate.namespace))
            for network in networks:
                visits.append(_on(lab, site, network, patience))
                tell(visits[-1])
    return visits


def _asked_for(site: Site, port: int, words: bytes, last: bool) -> tuple[str, int] | None:
    """Where a connection to the gate leads: to the host that it asks for; to the site's own when it names none."""
    try:
        return host_in(words) or site.host, port
    except Incomplete:
        return (site.host, port) if last else None


def _on(lab: Lab, site: Site, network: str, patience: float) -> Visit:
    rules = f"--host-resolver-rules=MAP * {lab['gate'].address}"
    with Browser(lab["browser"], [rules, "--ignore-certificate-errors"]) as browser:
        condition = (
            lab.degrade("browser", network, to="gate", allow_unmatched=True) if network != PERFECT else contextlib.nullcontext()
        )
        with condition, browser.filming() as film:
            browser.driver.set_script_timeout(SCRIPT_S)
            began = time.time()
            browser.driver.get(site.url)
            until(lambda: _is_loaded(browser), patience, 0.1)
            until(lambda: False, STANDING_S)  # the last picture comes when it has been drawn
            timing = browser.timing() if _has_answered(browser) else {}
    return Visit(network, film, began, *(_seconds(timing.get(name)) for name in ("firstByte", "firstPaint", "loaded")))


def _has_answered(browser: Browser) -> bool:
    """Whether it is the page that stands there: not the blank one before it, nor the browser's own of an error."""
    from selenium.common import WebDriverException

    script = "return location.protocol.startsWith('http') && performance.getEntriesByType('navigation')[0].responseStart > 0"
    try:
        return bool(browser.driver.execute_script(script))
    except WebDriverException:  # a script waits for the navigation's first byte
        return False


def _is_loaded(browser: Browser) -> bool:
    return _has_answered(browser) and bool(browser.timing()["loaded"])


def _seconds(ms: float | None) -> float | None:
    return ms / 1e3 if ms else None


def in_words(seconds: float | None) -> str:
    """`0.42 s`, or that it never came."""
    return f"{seconds:.2f} s" if seconds is not None else "never"


def compared(url: str, visits: Sequence[Visit]) -> str:
    """The page with the filmstrips side by side."""
    last = max((one.loaded or MOMENTS[-1] for one in visits), default=1.0)
    moments = MOMENTS[: 1 + next((place for place, at in enumerate(MOMENTS) if at >= last * 1.2), len(MOMENTS))]
    strips = [
        Strip(
            one.network, one.film, one.began,
            {"first byte": in_words(one.first_byte), "first seen": in_words(one.seen), "loaded": in_words(one.loaded)},
            frozenset(["loaded"] if one.loaded is None else ["first seen"] if (one.seen or 99) > 3 else []),
        )
        for one in visits
    ]  # fmt: skip
    words = "The page, with the seconds since the navigation began. Pale pictures equal the one before."
    return film_page(url, words, [Section("Networks", strips, moments)])
