from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from netweather.kernel.netlink.links import LinkEvents
from tests.support.netns import Namespace, lab


@pytest.fixture(scope="module")
def place() -> Iterator[Namespace]:
    with lab() as net:
        yield net.client


def ip(place: Namespace, *words: str) -> None:
    subprocess.run(["ip", "-n", place.name, *words], check=True)


def test_what_comes_leaves_and_is_renamed_is_seen_and_nothing_else(place: Namespace) -> None:
    events = place.call(LinkEvents)
    assert not events.changed()
    ip(place, "link", "set", "eth0", "down")
    ip(place, "link", "set", "eth0", "up")
    assert not events.changed()
    ip(place, "link", "add", "nw0", "type", "ifb")
    ip(place, "link", "del", "nw0")
    assert not events.changed()
    for words in ("add new0 type ifb", "set new0 name new1", "del new1"):
        ip(place, "link", *words.split())
        assert events.changed()
        assert not events.changed()
    events.close()
