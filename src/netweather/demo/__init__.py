"""`netweather demo`: the main job on real traffic, with nothing but this package; about a minute, and nothing is left behind.

A small web shop (browser-like customers → shop → payment service, HTTP over TCP) in network namespaces that the demo makes goes
through five networks, changed under its open connections. Asked and seen on the wire stand side by side, and a slow
answer shows the shop that sells twice. Not here: anything that a user's own tests should build on.
"""

from __future__ import annotations


def main(arguments: list[str] | None = None) -> int:
    """Runs the demo. Returns 0 when it showed what it promises, 1 when not, 2 for wrong usage, 128 + n for signal n."""
    from netweather.demo.command import run

    return run(arguments)


__all__ = ["main"]
