"""Sockets of a namespace without root: what sock_diag would tell, said by the test; and a namespace that is entered by staying here."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from netweather.engine.views import connections
from netweather.errors import NetweatherError
from netweather.kernel.sockets import sockdiag
from netweather.kernel.sockets.sockdiag import TCP, Socket, TcpInfo
from netweather.kernel.sockets.socket_owners import Holder

T = TypeVar("T")
_inodes = itertools.count(1000)
INFO = TcpInfo(0, 204_000, 0, 10_500, 2_000, 10, 3, 5000, 700, 10_000, 1_250_000, 5100, 100)


def made(
    remote: str = "198.51.100.7", port: int = 5432, *, local: str = "192.0.2.1", local_port: int = 40000, **more: Any
) -> Socket:
    """An established TCP connection, unless told otherwise."""
    plain: dict[str, Any] = {
        "protocol": TCP, "state": 1, "local": local, "local_port": local_port, "remote": remote, "remote_port": port,
        "receive_queue": 0, "send_queue": 12, "uid": 0, "inode": next(_inodes), "family": 2, "key": bytes(48), "info": INFO,
    }  # fmt: skip
    return Socket(**{**plain, **more})


class Here:
    """In place of a Namespace."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def run(self, function: Callable[[], T]) -> T:
        return function()

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was entered."""


class Live:
    """The sockets there are; one that is destroyed goes. gone: those that vanish before they can be."""

    def __init__(self, patch: pytest.MonkeyPatch, *sockets: Socket) -> None:
        self.sockets = list(sockets)
        self.gone: list[Socket] = []
        patch.setattr(connections, "Namespace", Here)
        patch.setattr(connections, "holders", lambda inodes, first: {inode: Holder(7, "shop") for inode in inodes if inode})
        patch.setattr(sockdiag, "sockets", self._sockets)
        patch.setattr(sockdiag, "destroy", self._destroy)

    def _sockets(self, protocols: list[int], *, listening: bool = False) -> Iterator[Socket]:
        return (one for one in self.sockets if one.protocol in protocols)

    def _destroy(self, one: Socket) -> None:
        self.sockets.remove(one)
        if one in self.gone:
            raise NetweatherError("no-such-connection", "the connection has ended by itself", "", "")
