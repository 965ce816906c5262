from __future__ import annotations

import os
from pathlib import Path

import pytest

from netweather.demo import shop_network
from netweather.kernel import namespaces
from netweather.kernel.netlink import links


def test_a_name_tells_its_owner() -> None:
    owner = shop_network.owner_of(f"{shop_network.stem()}-client")
    assert owner is not None
    assert owner.pid == os.getpid()
    assert owner.alive


@pytest.mark.parametrize("name", ["nwd-1-2", "nwd-x-2-client", "nwd-1-2-client-more", "nwt-1-2-client", "db"])
def test_other_names_are_nobodys(name: str) -> None:
    assert shop_network.owner_of(name) is None


def test_only_what_dead_demos_left_is_forsaken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop_network, "FOLDER", tmp_path)
    for name in (f"{shop_network.stem()}-shop", f"nwd-{os.getpid()}-1-shop", f"nwd-{os.getpid()}-1-client", "nwd-notes", "db"):
        (tmp_path / name).touch()
    assert shop_network.forsaken() == [f"nwd-{os.getpid()}-1"]
    assert shop_network.left(shop_network.stem()) == [f"{shop_network.stem()}-shop"]


@pytest.mark.root
def test_made_and_removed() -> None:
    beginning = f"{shop_network.stem()}"
    try:
        shop_network.make(beginning)
        with namespaces.opened(shop_network.path_of(beginning, "shop")) as shop:
            found = shop.run(links.devices)
        assert [(one.name, one.kind, one.up) for one in found if one.kind] == [("eth0", "veth", True), ("eth1", "veth", True)]
        assert shop_network.left(beginning) == [f"{beginning}-{role}" for role in sorted(shop_network.ROLES)]
    finally:
        shop_network.remove(beginning)
    assert shop_network.left(beginning) == []
    shop_network.remove(beginning)
