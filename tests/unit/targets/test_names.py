from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path

import pytest

from netweather.targets import _names, _open_namespaces
from netweather.targets.model import Target

HOSTS = """
127.0.0.1 localhost
192.0.2.7   db.example.org DB  # the first one
2001:db8::7 db
#192.0.2.8  db
fe80::7%eth0 near
nonsense    db
"""


@pytest.mark.parametrize(
    ("name", "addresses"),
    [
        ("db", ["192.0.2.7", "2001:db8::7"]),
        ("DB.", ["192.0.2.7", "2001:db8::7"]),
        ("db.example.org", ["192.0.2.7"]),
        ("near", ["fe80::7"]),
        ("nobody", []),
        ("the", []),
        ("192.0.2.7", []),
    ],
)
def test_a_name_in_a_hosts_file(name: str, addresses: list[str]) -> None:
    assert _names.in_hosts(HOSTS, name) == tuple(map(ip_address, addresses))


def test_the_files_are_those_of_the_targets_process() -> None:
    own = _open_namespaces.held_target(os.open("/proc/self/ns/net", os.O_RDONLY), "pid:1", "x", "pid", pid=os.getpid())
    with own:
        found = _names.configuration(own)
    assert found == _names.Configuration(Path("/etc/hosts").read_text(), Path("/etc/resolv.conf").read_text())


def test_a_process_that_is_elsewhere_by_now_is_not_asked(tmp_path: Path) -> None:
    with _open_namespaces.held_target(os.open(tmp_path, os.O_RDONLY), "pid:1", "x", "pid", pid=os.getpid()) as other:
        assert _names._of_process(os.getpid(), other) is None
        assert _names._of_process(4194305, other) is None


def test_servers_behind_an_interface_of_anothers_naming_are_left_out() -> None:
    text = "nameserver fe80::1%eth0\nnameserver 192.0.2.1\n"
    assert _names._without_zones(text).split() == ["nameserver", "192.0.2.1"]


def test_a_written_name_needs_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_names, "configuration", lambda target: _names.Configuration("192.0.2.9 db", ""))
    with Target("pid:1", "x", os.open("/dev/null", os.O_RDONLY), 1, 1, None, None, "pid") as target:
        assert _names.look_up("db", target) == _names.ResolvedName((ip_address("192.0.2.9"),), _names.HOSTS_TTL)
