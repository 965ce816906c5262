"""What a server has received, from packets in any order: lost ones, repeated ones, and numbers that come round."""

from __future__ import annotations

import random
import struct
from ipaddress import ip_address

import pytest

from netweather.kernel.traffic.tcp_capture import Conversations, segment

SYN, RST, ACK = 2, 4, 16
CLIENT, SERVER = ("192.0.2.1", 40000), ("192.0.2.2", 80)
CLIENT6, SERVER6 = ("2001:db8::1", 40000), ("2001:db8::2", 80)
End = tuple[str, int]


def packet(source: End, destination: End, sequence: int, acknowledged: int, flags: int, data: bytes = b"") -> bytes:
    tcp = struct.pack("!HHIIBBHHH", source[1], destination[1], sequence % 2**32, acknowledged % 2**32, 8 << 4, flags, 0, 0, 0)
    tcp += bytes(12) + data  # options
    here, there = ip_address(source[0]), ip_address(destination[0])
    if here.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64) + here.packed + there.packed + tcp
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + here.packed + there.packed + tcp


def conversation(
    text: bytes, began: int, client: End = CLIENT, server: End = SERVER, size: int = 10
) -> tuple[bytes, list[bytes]]:
    """Its first packet, and those that bring the text."""
    first = packet(client, server, began, 0, SYN)
    parts = [packet(client, server, began + 1 + at, 1, ACK, text[at : at + size]) for at in range(0, len(text), size)]
    return first, parts


TEXT = bytes(range(256)) * 3


@pytest.mark.parametrize("began", [0, 2**31, 2**32 - 300])
@pytest.mark.parametrize(("client", "server"), [(CLIENT, SERVER), (CLIENT6, SERVER6)], ids=["ipv4", "ipv6"])
def test_in_any_order_and_more_than_once(client: End, server: End, began: int) -> None:
    chance = random.Random(7)
    first, parts = conversation(TEXT, began, client, server)
    _, other = conversation(TEXT, began, client, server, size=17)  # what is sent again is cut otherwise
    mixed = [*parts, *other, *parts[::3]]
    chance.shuffle(mixed)
    reader = Conversations(80)
    assert [*reader.feed(first)] == []
    for each in mixed:
        assert [*reader.feed(each), *reader.feed(first)] == []  # nothing is certain yet
    found = b""
    for upto in [*sorted(chance.choices(range(len(TEXT)), k=40)), len(TEXT)]:
        for number, data in reader.feed(packet(server, client, 1, began + 1 + upto, ACK)):
            assert number == 0
            found += data
        assert found == TEXT[:upto]


def test_what_was_lost_is_not_there_until_it_comes() -> None:
    first, parts = conversation(TEXT, 5)
    reader = Conversations(80)
    for each in (first, parts[0], parts[2]):
        list(reader.feed(each))
    acknowledge = packet(SERVER, CLIENT, 1, 6 + 30, ACK)
    assert [*reader.feed(acknowledge)] == [(0, TEXT[:10])]
    list(reader.feed(parts[1]))
    assert [*reader.feed(acknowledge)] == [(0, TEXT[10:30])]


def test_a_number_for_each_connection() -> None:
    reader = Conversations(80)
    for number, began in enumerate((100, 5_000)):  # the second from the same port
        first, parts = conversation(b"hello", began)
        list(reader.feed(first))
        list(reader.feed(parts[0]))
        assert [*reader.feed(packet(SERVER, CLIENT, 1, began + 6, ACK | RST))] == [(number, b"hello")]


def test_what_is_of_no_interest() -> None:
    first, parts = conversation(b"hello", 9, server=("192.0.2.2", 81))
    reader = Conversations(80)
    udp = bytearray(first)
    udp[9] = 17
    later = bytearray(first)
    later[7] = 1
    begun_before = [packet(CLIENT, SERVER, 50, 1, ACK, b"x"), packet(SERVER, CLIENT, 1, 51, ACK)]
    for each in (first, *parts, bytes(udp), bytes(later), first[:30], b"", *begun_before):
        assert [*reader.feed(each)] == []
    assert segment(bytes(udp)) is None
    assert segment(bytes(later)) is None


def test_a_packet_that_says_that_it_is_empty_is_a_large_one() -> None:
    large = bytearray(packet(CLIENT, SERVER, 1, 1, ACK, b"x" * 1000))
    large[2:4] = bytes(2)
    found = segment(bytes(large))
    assert found
    assert found.data == b"x" * 1000
