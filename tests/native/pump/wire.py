"""Super-packets and what the wire makes of them, written again in Python: the reference for pump/segment.c."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tests.native.pump.harness import VNET

NEEDS_CSUM = 1
TCP4, TCP6, UDP = 1, 4, 5
FIN, SYN, PSH, ACK, CWR = 1, 2, 8, 16, 128


def fold(data: bytes) -> int:
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@dataclass(frozen=True)
class Layout:
    version: int
    l3: int
    l4: int
    header: int
    tcp: bool


def layout(frame: bytes) -> Layout:
    at = 12
    while frame[at : at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    l3 = at + 2
    if frame[l3] >> 4 == 4:
        l4, protocol = l3 + (frame[l3] & 15) * 4, frame[l3 + 9]
    else:
        l4, protocol = l3 + 40, frame[l3 + 6]
        if protocol == 60:  # destination options
            protocol, l4 = frame[l4], l4 + 8 * (frame[l4 + 1] + 1)
    tcp = protocol == 6
    return Layout(frame[l3] >> 4, l3, l4, l4 + ((frame[l4 + 12] >> 4) * 4 if tcp else 8), tcp)


def pseudo(frame: bytes, length: int) -> bytes:
    at = layout(frame)
    addresses = frame[at.l3 + 12 : at.l3 + 20] if at.version == 4 else frame[at.l3 + 8 : at.l3 + 40]
    return addresses + struct.pack(">II", length, 6 if at.tcp else 17)


def transport_sum(frame: bytes) -> int:
    """0xffff when the checksum in it is right."""
    at = layout(frame)
    return fold(pseudo(frame, len(frame) - at.l4) + frame[at.l4 :])


def ip_is_right(frame: bytes) -> bool:
    at = layout(frame)
    if at.version == 4:
        total = struct.unpack_from(">H", frame, at.l3 + 2)[0]
        return fold(frame[at.l3 : at.l4]) == 0xFFFF and total == len(frame) - at.l3
    return struct.unpack_from(">H", frame, at.l3 + 4)[0] == len(frame) - at.l3 - 40


def checksum_field(frame: bytes) -> int:
    at = layout(frame)
    return at.l4 + (16 if at.tcp else 6)


def completed(frame: bytes) -> bytes:
    """A partial checksum, which holds the pseudo-header's sum, made a whole one."""
    field, start = checksum_field(frame), layout(frame).l4
    value = ~fold(frame[start:]) & 0xFFFF
    return frame[:field] + struct.pack(">H", value or (0 if layout(frame).tcp else 0xFFFF)) + frame[field + 2 :]


def make(
    payload: bytes,
    *,
    version: int = 4,
    tcp: bool = True,
    gso: int = 1448,
    flags: int = ACK | PSH,
    options: int = 12,
    vlans: int = 0,
    extension: bool = False,
    ecn: int = 0,
    ident: int = 0xFFF0,
    seq: int = 0xFFFFF000,
) -> tuple[bytes, bytes]:
    """A frame with a partial checksum as a sender's kernel hands it over, and its virtio header."""
    l2 = bytes(range(12)) + b"\x81\x00\x00\x05" * vlans + (b"\x08\x00" if version == 4 else b"\x86\xdd")
    if tcp:
        l4 = struct.pack(">HHIIBBHHH", 40000, 80, seq, 77, (5 + options // 4) << 4, flags, 500, 0, 0) + b"\x01" * options
    else:
        l4 = struct.pack(">HHHH", 40000, 53, 8 + len(payload), 0)
    extra = (bytes([6 if tcp else 17, 0]) + b"\x01\x04" + bytes(4)) if extension else b""
    length = len(extra) + len(l4) + len(payload)
    protocol = 60 if extension else 6 if tcp else 17
    if version == 4:
        l3 = struct.pack(">BBHHHBBH", 0x45, ecn, 20 + length, ident, 0x4000, 64, protocol, 0) + bytes(
            [192, 0, 2, 1, 192, 0, 2, 2]
        )
        l3 = l3[:10] + struct.pack(">H", ~fold(l3) & 0xFFFF) + l3[12:]
    else:
        l3 = struct.pack(">IHBB", 6 << 28 | ecn << 20, length, protocol, 64) + bytes(range(32)) + extra
    frame = l2 + l3 + l4 + payload
    field = checksum_field(frame)
    frame = frame[:field] + struct.pack(">H", fold(pseudo(frame, len(l4) + len(payload)))) + frame[field + 2 :]
    kind = 0 if len(payload) <= gso else UDP if not tcp else TCP4 if version == 4 else TCP6
    start = layout(frame).l4
    return frame, VNET.pack(NEEDS_CSUM, kind, start + len(l4), gso if kind else 0, start, field - start)


def segmented(frame: bytes, vnet: bytes) -> list[bytes]:
    """What goes over the wire: frames of at most gso payload bytes with whole checksums."""
    flags, kind, _, gso, _, _ = VNET.unpack(vnet)
    if not kind & 0x7F:
        return [completed(frame) if flags & NEEDS_CSUM else frame]
    at = layout(frame)
    payload = frame[at.header :]
    pieces = [payload[i : i + gso] for i in range(0, len(payload), gso)]
    return [_segment(frame, at, i, i * gso, piece, i == len(pieces) - 1) for i, piece in enumerate(pieces)]


def _segment(frame: bytes, at: Layout, index: int, offset: int, piece: bytes, last: bool) -> bytes:
    head = bytearray(frame[: at.header])
    length = at.header - at.l3 + len(piece)
    if at.version == 4:
        struct.pack_into(">H", head, at.l3 + 2, length)
        struct.pack_into(">H", head, at.l3 + 4, (struct.unpack_from(">H", head, at.l3 + 4)[0] + index) & 0xFFFF)
        struct.pack_into(">H", head, at.l3 + 10, 0)
        struct.pack_into(">H", head, at.l3 + 10, ~fold(bytes(head[at.l3 : at.l4])) & 0xFFFF)
    else:
        struct.pack_into(">H", head, at.l3 + 4, length - 40)
    if at.tcp:
        struct.pack_into(">I", head, at.l4 + 4, (struct.unpack_from(">I", head, at.l4 + 4)[0] + offset) & 0xFFFFFFFF)
        head[at.l4 + 13] &= 0xFF if last else ~(FIN | PSH) & 0xFF
        head[at.l4 + 13] &= 0xFF if not index else ~CWR & 0xFF
    else:
        struct.pack_into(">H", head, at.l4 + 4, 8 + len(piece))
    whole = bytes(head) + piece
    field = checksum_field(whole)
    return completed(whole[:field] + struct.pack(">H", fold(pseudo(whole, len(whole) - at.l4))) + whole[field + 2 :])
