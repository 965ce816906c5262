from __future__ import annotations

import os
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from netweather.errors import NetweatherError
from netweather.targets import _open_namespaces
from netweather.targets._open_namespaces import open_of_path, open_of_process
from netweather.targets.model import Target
from netweather.targets.references import parse

OWN = f"/proc/{os.getpid()}/ns/net"
REFERENCE = parse("docker:shop")


def closed(target: Target | None) -> Target:
    assert target is not None
    target.close()
    return target


def test_the_runtimes_own_file_proves_the_process() -> None:
    target = closed(open_of_process(REFERENCE, "shop", pid=os.getpid(), ids=("ab" * 32,), path=OWN))
    assert (target.reference, target.name, target.runtime) == ("docker:shop", "shop", "docker")
    assert (target.pid, target.path) == (os.getpid(), OWN)


def test_a_control_group_proves_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netweather.targets._open_namespaces.ProcessEntry.control_groups", lambda self: "0::/pods/abab/cdcd\n")
    target = closed(open_of_process(REFERENCE, "shop", pid=os.getpid(), ids=("0000", "cdcd"), path="/nonexistent"))
    assert target.path is None
    assert open_of_process(REFERENCE, "shop", pid=os.getpid(), ids=("0000",)) is None


@pytest.mark.parametrize(
    ("pid", "path"), [(4194305, OWN), (os.getppid(), "/nonexistent"), (os.getppid(), "")], ids=["gone", "elsewhere", "no file"]
)
def test_what_is_not_proved_is_none(pid: int, path: str) -> None:
    assert open_of_process(REFERENCE, "shop", pid=pid, ids=("ab" * 32,), path=path) is None


def test_a_file_alone_will_do() -> None:
    address = ip_address("192.0.2.1")
    target = closed(open_of_path(REFERENCE, "shop", OWN, (address,)))
    assert (target.pid, target.path, target.addresses) == (None, OWN, (address,))
    assert open_of_path(REFERENCE, "shop", "/nonexistent") is None
    assert open_of_path(REFERENCE, "shop", "/dev/null") is None


def test_who_may_not_look_is_told_so(
    monkeypatch: pytest.MonkeyPatch, refused: Callable[[Callable[[], object]], NetweatherError]
) -> None:
    def deny(*_: object) -> int:
        raise NetweatherError("needs-root", "it could not be opened")

    monkeypatch.setattr(_open_namespaces.ProcessEntry, "open_network", deny)
    monkeypatch.setattr(_open_namespaces, "open_path", deny)
    assert refused(lambda: open_of_process(REFERENCE, "shop", pid=os.getpid(), ids=(), path=OWN)).code == "needs-root"
    assert refused(lambda: open_of_path(REFERENCE, "shop", OWN)).code == "needs-root"
