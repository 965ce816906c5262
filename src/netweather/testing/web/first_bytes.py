"""Which host a connection is for, as its first bytes tell: TLS's server name (RFC 6066, 3), or HTTP's Host (RFC 9112, 3.2). Pure.

A gate that stands for many hosts at one address leads by that, and ends nobody's encryption.
"""

from __future__ import annotations

import struct
from typing import Final

MOST: Final = 1 << 16
"""No first words are longer than so many bytes: what is, names nobody."""
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 22, 1, 0, 0
_RECORD: Final = struct.Struct("!BHH")


class Incomplete(Exception):
    """More bytes are needed to tell."""


def host_in(words: bytes) -> str | None:
    """The host's name or address, without a port; None: they name none. Raises Incomplete."""
    if len(words) >= MOST:
        return None
    if not words:
        raise Incomplete
    try:
        name = _server_name(_hello(words)) if words[0] == _HANDSHAKE else _host(words)
        return name.decode("ascii").lower() if name else None
    except (struct.error, IndexError, UnicodeDecodeError):  # what claims to be whole, and is not, is no such thing
        return None


def _hello(words: bytes) -> bytes:
    """The ClientHello, put together from its records."""
    hello, place = b"", 0
    while len(hello) < 4 or len(hello) < 4 + int.from_bytes(hello[1:4], "big"):
        if len(words) < place + _RECORD.size:
            raise Incomplete
        kind, _, length = _RECORD.unpack_from(words, place)
        if kind != _HANDSHAKE or not length:
            return b""
        if len(words) < place + _RECORD.size + length:
            raise Incomplete
        hello += words[place + _RECORD.size : place + _RECORD.size + length]
        place += _RECORD.size + length
    return hello[4:] if hello[0] == _CLIENT_HELLO else b""


def _server_name(hello: bytes) -> bytes | None:
    """After version and random: session, ciphers, compressions, each behind its length; then the extensions."""
    place = 2 + 32
    for size in (1, 2, 1):
        place += size + int.from_bytes(hello[place : place + size], "big")
    place += 2
    while place < len(hello):
        kind, length = struct.unpack_from("!HH", hello, place)
        if kind == _SERVER_NAME:
            named, size = struct.unpack_from("!BH", hello, place + 6)
            return hello[place + 9 : place + 9 + size] if named == _HOST_NAME else None
        place += 4 + length
    return None


def _host(words: bytes) -> bytes | None:
    head, ended, _ = words.partition(b"\r\n\r\n")
    if not ended:
        raise Incomplete
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"host":
            host, colon, port = value.strip().rpartition(b":")
            if not colon or not port.isdigit():
                host = value.strip()
            return host.removeprefix(b"[").removesuffix(b"]")
    return None
