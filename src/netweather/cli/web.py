"""`netweather web`: a page on several networks, as its users see it, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from netweather.cli import pages
from netweather.cli.options import Json
from netweather.cli.output import say, say_json, say_table
from netweather.connecting import need_root

_EXAMPLES = """
sudo netweather web http://127.0.0.1:8080/
sudo netweather web https://shop.example.org/ --profiles perfect,3g
"""


def _web(
    url: Annotated[str, typer.Argument(metavar="URL", help="the page", show_default=False)],
    profiles: Annotated[
        str, typer.Option("--profiles", metavar="NAMES", help="the networks, perfect is the one as it is")
    ] = "perfect,4g,3g,lossy-wifi",
    report: Annotated[str, typer.Option("--report", metavar="FILE", help="the page with the filmstrips")] = "web.html",
    patience: Annotated[int, typer.Option("--patience", metavar="SECONDS", min=1, help="how long a page may take")] = 60,
    as_json: Json = False,
) -> int:
    """Loads a page in a real browser on each network, films it, and puts the filmstrips side by side.

    The browser stands in a namespace of its own; the site may be this machine's or any that it reaches, and nothing of it is
    changed. Needs Chromium, its driver and the extra netweather[browser]. Exit 1 when the page did not load on a network.
    """
    need_root()
    from netweather.testing.matrix import network_names
    from netweather.testing.webpage import Visit, compared, in_words, visit

    def tell(one: Visit) -> None:
        if not as_json:
            say(f"{one.network}: loaded after {in_words(one.loaded)}")

    visits = visit(url, network_names(profiles), float(patience), tell)
    Path(report).write_text(compared(url, visits))
    if as_json:
        say_json([one.plain() for one in visits])
    else:
        rows = [(one.network, in_words(one.first_byte), in_words(one.seen), in_words(one.loaded)) for one in visits]
        say_table(("network", "first byte", "first seen", "loaded"), rows)
        say(f"written: {report}")
    return 0 if all(one.loaded is not None for one in visits) else 1


def command() -> Any:
    """The Typer command."""
    return pages.command(_web, name="web", examples=_EXAMPLES)
