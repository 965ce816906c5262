"""`--watch`: the same look again each second, until Ctrl-C, which is the usual end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

from netweather.cli.output import console

T = TypeVar("T")
_EVERY_S: Final = 1.0


def again_and_again(look: Callable[[], T], say: Callable[[T], None], drawn: Callable[[T], Any] | None) -> None:
    """Draws over what was there on a terminal; elsewhere, and without `drawn`, says it anew each time."""
    from netweather.kernel import waiting

    try:
        if drawn is None or not sys.stdout.isatty():
            while True:
                say(look())
                sys.stdout.flush()
                waiting.pause(_EVERY_S)
        from rich.live import Live

        with Live(drawn(look()), console=console(), auto_refresh=False) as live:
            while True:
                waiting.pause(_EVERY_S)
                live.update(drawn(look()), refresh=True)
    except KeyboardInterrupt:
        return
