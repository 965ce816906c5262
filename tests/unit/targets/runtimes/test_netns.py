from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.kernel import namespaces
from netweather.targets.references import parse
from netweather.targets.runtimes.netns import NamedNamespaces

Refused = Callable[[Callable[[], object]], NetweatherError]


@pytest.fixture
def named(tmp_path: Path) -> NamedNamespaces:
    """A folder with one namespace, db, that is our own, and a name that outlived its namespace."""
    (tmp_path / "db").symlink_to("/proc/self/ns/net")
    (tmp_path / "gone").touch()
    return NamedNamespaces(str(tmp_path))


def test_a_name_is_a_file_in_the_folder(named: NamedNamespaces) -> None:
    (target,) = named.open(parse("netns:db"))
    with target:
        own = os.stat("/proc/self/ns/net")
        assert target.identity == f"{own.st_dev}-{own.st_ino}"
        assert (target.name, target.path, target.pid) == ("db", f"{named.directory}/db", None)
        assert (target.reference, target.runtime) == ("netns:db", "netns")


def test_a_path_is_taken_as_it_is(named: NamedNamespaces) -> None:
    for path, name in ((f"{named.directory}/db", "db"), ("/proc/self/ns/net", "/proc/self/ns/net")):
        (target,) = named.open(parse(f"netns:{path}"))
        with target:
            assert (target.name, target.path) == (name, path)


def test_an_unknown_name_gets_the_nearest(named: NamedNamespaces, refused: Refused) -> None:
    error = refused(lambda: named.open(parse("netns:dbb")))
    assert (error.code, error.why) == ("unknown-target", "similar named namespaces: db")
    assert "'dbb'" in error.what
    error = refused(lambda: NamedNamespaces("/nonexistent").open(parse("netns:dbb")))
    assert error.why == "no named namespaces exist"


def test_an_unknown_path_is_named(named: NamedNamespaces, refused: Refused) -> None:
    error = refused(lambda: named.open(parse("netns:/nonexistent/db")))
    assert (error.code, "/nonexistent/db" in error.what) == ("unknown-target", True)


def test_a_name_that_outlived_its_namespace_is_refused(named: NamedNamespaces, refused: Refused) -> None:
    assert refused(lambda: named.open(parse("netns:gone"))).code == "not-a-namespace"


def test_the_list_shows_stale_names_as_such(named: NamedNamespaces) -> None:
    present, stale = named.listings()
    assert (present.reference, present.state, present.identity is not None) == ("netns:db", "present", True)
    assert (stale.reference, stale.state, stale.identity) == ("netns:gone", "stale", None)
    assert "outlived" in stale.note
    assert NamedNamespaces("/nonexistent").listings() == []


@pytest.mark.root
def test_a_real_namespace_is_listed_with_its_interfaces(tmp_path: Path) -> None:
    namespaces.make(tmp_path / "real")
    try:
        (listing,) = NamedNamespaces(str(tmp_path)).listings()
        assert (listing.name, listing.state, listing.addresses, listing.interfaces, listing.note) == (
            "real",
            "present",
            (),
            (),
            "",
        )
    finally:
        namespaces.remove(tmp_path / "real")
