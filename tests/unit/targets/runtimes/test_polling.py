from __future__ import annotations

import os

import pytest

from netweather.errors import NetweatherError
from netweather.targets import _open_namespaces
from netweather.targets.model import Listing, Target, Watch
from netweather.targets.references import Reference, parse
from netweather.targets.runtimes._polling import Polled


class FakeRuntime:
    """Opens the files it is given, as often as they stand there."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.fails: NetweatherError | None = None

    def open(self, reference: Reference, *, as_peer: bool = False) -> list[Target]:
        if self.fails:
            raise self.fails
        return [_open_namespaces.held_target(os.open(path, os.O_RDONLY), reference.text, path, "netns") for path in self.files]

    def watch(self, reference: Reference) -> Watch:
        return Polled(self, reference)

    def listings(self) -> list[Listing]:
        return []


def test_keys_are_identities_and_opening_gives_that_one() -> None:
    runtime = FakeRuntime()
    watch = runtime.watch(parse("netns:x"))
    before = len(os.listdir("/proc/self/fd"))
    runtime.files = ["/proc/self/ns/net", "/proc/self/ns/mnt", "/proc/self/ns/net"]
    keys = watch.present()
    assert len(keys) == 2
    for key in keys:
        target = watch.open(key)
        assert target is not None
        assert target.identity == key
        target.close()
    assert watch.open("1-1") is None
    assert list(watch.changes()) == []
    watch.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("code", ["unknown-target", "not-a-namespace"])
def test_what_is_not_there_yet_is_nothing(code: str) -> None:
    runtime = FakeRuntime()
    runtime.fails = NetweatherError(code, "no")
    assert runtime.watch(parse("netns:x")).present() == set()


def test_other_failures_are_failures() -> None:
    runtime = FakeRuntime()
    runtime.fails = NetweatherError("needs-root", "no")
    with pytest.raises(NetweatherError):
        runtime.watch(parse("netns:x")).present()
