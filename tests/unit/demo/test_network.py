from __future__ import annotations

import os
from pathlib import Path

import pytest

from netweather.demo import network
from netweather.kernel import links, namespaces


def test_a_name_tells_its_owner() -> None:
    owner = network.owner_of(f"{network.stem()}-client")
    assert owner is not None
    assert owner.pid == os.getpid()
    assert owner.alive


@pytest.mark.parametrize("name", ["nwd-1-2", "nwd-x-2-client", "nwd-1-2-client-more", "nwt-1-2-client", "db"])
def test_other_names_are_nobodys(name: str) -> None:
    assert network.owner_of(name) is None


def test_only_what_dead_demos_left_is_forsaken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "FOLDER", tmp_path)
    for name in (f"{network.stem()}-shop", f"nwd-{os.getpid()}-1-shop", f"nwd-{os.getpid()}-1-client", "nwd-notes", "db"):
        (tmp_path / name).touch()
    assert network.forsaken() == [f"nwd-{os.getpid()}-1"]
    assert network.left(network.stem()) == [f"{network.stem()}-shop"]


@pytest.mark.root
def test_made_and_removed() -> None:
    beginning = f"{network.stem()}"
    try:
        network.make(beginning)
        with namespaces.opened(network.path_of(beginning, "shop")) as shop:
            found = shop.run(links.devices)
        assert [(one.name, one.kind, one.up) for one in found if one.kind] == [("eth0", "veth", True), ("eth1", "veth", True)]
        assert network.left(beginning) == [f"{beginning}-{role}" for role in sorted(network.ROLES)]
    finally:
        network.remove(beginning)
    assert network.left(beginning) == []
    network.remove(beginning)
