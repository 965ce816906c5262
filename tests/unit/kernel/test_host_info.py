"""The host as doctor sees it: why something is missing, and what to install."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from netweather.kernel.host_info import HostInfo, read_configuration


def host(**fields: object) -> HostInfo:
    return HostInfo("6.1.0-18-amd64", "x86_64", **fields)  # type: ignore[arg-type]  # of the test's own


@pytest.mark.parametrize(
    ("configuration", "minimum", "expected"),
    [
        (None, "6.6", "Linux 6.1.0-18-amd64 is older than 6.6"),
        ({"NET_SCH_NETEM": "y"}, "6.6", "Linux 6.1.0-18-amd64 is older than 6.6"),
        (None, "", ""),
        ({}, "6.1", "this kernel was built without CONFIG_NET_SCH_NETEM"),
        ({"NET_SCH_NETEM": "m"}, "", "the module sch_netem is not installed"),
        ({"NET_SCH_NETEM": "y"}, "", "this kernel was built with CONFIG_NET_SCH_NETEM, but refuses it"),
    ],
)
def test_why_it_is_missing(configuration: dict[str, str] | None, minimum: str, expected: str, tmp_path: Path) -> None:
    found = host(configuration=configuration, modules=tmp_path)
    assert found.why_missing("NET_SCH_NETEM", "sch_netem", minimum) == expected


def test_a_module_that_is_there_can_be_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "6.1.0-18-amd64" / "kernel"
    folder.mkdir(parents=True)
    (folder / "sch_netem.ko.xz").touch()
    found = host(configuration={"NET_SCH_NETEM": "m"}, modules=tmp_path)
    assert found.why_missing("NET_SCH_NETEM", "sch_netem", "") == "the module sch_netem is not loaded"
    assert found.remedy("NET_SCH_NETEM", "sch_netem", "") == "modprobe sch_netem (or: netweather doctor --modprobe)"


@pytest.mark.parametrize(
    ("distribution", "library", "modules"),
    [
        (("debian",), "apt-get install libbpf1", "apt-get install --reinstall linux-image-6.1.0-18-amd64"),
        (("ubuntu", "debian"), "apt-get install libbpf1", "apt-get install linux-modules-extra-6.1.0-18-amd64"),
        (("rocky", "rhel", "fedora"), "dnf install libbpf", "dnf install kernel-modules-extra-6.1.0-18-amd64"),
        (("opensuse-leap", "suse"), "zypper install libbpf1", "zypper install kernel-default"),
        (("arch",), "pacman -S libbpf", "pacman -S linux"),
        (("alpine",), "apk add libbpf", "apk add linux-lts"),
        (("unheard-of",), "install libbpf 1.0 or later", ""),
    ],
)
def test_what_to_install(distribution: tuple[str, ...], library: str, modules: str, tmp_path: Path) -> None:
    (tmp_path / "6.1.0-18-amd64").mkdir()
    found = host(distribution=distribution, configuration={"X": "m"}, modules=tmp_path)
    assert found.install("libbpf") == library
    assert found.remedy("X", "x", "") == modules


def test_where_no_module_helps(tmp_path: Path) -> None:
    assert host(configuration={"X": "y"}, modules=tmp_path).remedy("X", "x", "") == ""
    assert host(configuration={}, modules=tmp_path).remedy("X", "x", "") == "use a kernel with CONFIG_X"
    assert host(configuration={}, modules=tmp_path).remedy("X", "x", "6.6") == "use Linux 6.6 or later"
    assert "mount /lib/modules" in host(configuration={"X": "m"}, modules=tmp_path).remedy("X", "x", "")
    assert host(modules=tmp_path).remedy("", "", "") == ""


def test_the_configuration_is_read_wherever_it_is(tmp_path: Path) -> None:
    text = "CONFIG_VETH=m\n# CONFIG_NET_SCH_NETEM is not set\nCONFIG_TUN=y\n"
    assert read_configuration("6.1", tmp_path) is None
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot" / "config-6.1").write_text(text)
    assert read_configuration("6.1", tmp_path) == {"VETH": "m", "TUN": "y"}
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "config.gz").write_bytes(gzip.compress(b"CONFIG_TUN=m\n"))
    assert read_configuration("6.1", tmp_path) == {"TUN": "m"}


def test_this_host_has_a_version() -> None:
    assert HostInfo.here().version > (3, 0)
