"""`netweather web`: a page on several networks, as its users see it, side by side."""

from __future__ import annotations

from pathlib import Path

import click

from netweather.cli import command_factory
from netweather.cli.options import json_option
from netweather.cli.output import say, say_json, say_table
from netweather.connecting import need_root

_EXAMPLES = """
sudo netweather web http://127.0.0.1:8080/
sudo netweather web https://shop.example.org/ --profiles perfect,3g
"""


@command_factory.command("web", examples=_EXAMPLES)
@command_factory.argument("url", metavar="URL", help="address of the page")
@command_factory.option(
    "--profiles",
    metavar="NAMES",
    default="perfect,4g,3g,lossy-wifi",
    show_default=True,
    help="networks to try; perfect adds nothing",
)
@command_factory.option("--report", metavar="FILE", default="web.html", show_default=True, help="file to write the filmstrips to")
@command_factory.option(
    "--patience",
    metavar="SECONDS",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    help="maximum time to load the page",
)
@json_option
def command(url: str, profiles: str, report: str, patience: int, as_json: bool) -> int:
    """Loads a page in a real browser on each network, films it, and shows the filmstrips side by side.

    The browser runs in its own network namespace. The site may run on this machine or anywhere this machine can reach; the site
    is not changed. Needs Chromium, its driver and the extra netweather[browser]. Exit 1 when the page did not load on a
    network.
    """
    need_root()
    from netweather.reports.matrix import network_names
    from netweather.testing.web.web_page import Visit, compared, in_words, visit

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
