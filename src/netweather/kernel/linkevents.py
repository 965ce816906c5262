"""What the kernel says of a namespace's interfaces as it happens: one came, left, was renamed or deleted."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Final

from netweather.kernel import rtnetlink
from netweather.kernel.links import PORT

_GROUP: Final = 1  # RTMGRP_LINK
_ROOM: Final = 1 << 16
_NAME_KIND, _LINK_SIZE = 3, 16


class LinkEvents:
    """The changes since the last look. Made inside the namespace; `changed` may be called anywhere. Raises OSError."""

    def __init__(self) -> None:
        self._socket = rtnetlink.opened()
        self._socket.bind((0, _GROUP))
        self._socket.setblocking(False)
        self._names = {index: name for index, name in socket.if_nameindex() if name != PORT}

    def changed(self) -> bool:
        """Whether an interface, but for our own, came, left or has another name. What is up or down doesn't matter."""
        found = False
        while True:
            try:
                data = self._socket.recv(_ROOM)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # more came than the kernel kept for us
                    raise
                found = True
                continue
            for kind, _, body in rtnetlink.messages(data):
                found |= self._take(kind, body)

    def _take(self, kind: int, body: bytes) -> bool:
        index = struct.unpack_from("=4xi", body)[0]
        name = rtnetlink.as_text(rtnetlink.attributes(body[_LINK_SIZE:]).get(_NAME_KIND, b""))
        if kind == rtnetlink.DELLINK:
            return self._names.pop(index, None) is not None
        before = self._names.get(index)
        if name in (PORT, before):
            return False
        self._names[index] = name
        return True

    def close(self) -> None:
        self._socket.close()
