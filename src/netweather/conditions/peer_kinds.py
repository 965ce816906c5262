"""Which kind of peer a word names: an address or a prefix, a reference to a target, or else a host name. Pure.

The only place that tells them apart by their form. Not here: what they mean (targets).
"""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"[0-9.]+(/.*)?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(/.*)?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]*:")


def is_address(text: str) -> bool:
    """Whether the words have the form of an address or a prefix; they can still be wrong, such as 192.0.2.300."""
    return _ADDRESS.fullmatch(text) is not None


def is_reference(text: str) -> bool:
    """Whether the words have the form of a reference to a target: "host", or WORD:…, but no IPv6 address such as fd00::1."""
    return text == "host" or (_SCHEME.match(text) is not None and not is_address(text))


__all__ = ["is_address", "is_reference"]
