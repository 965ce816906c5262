"""The probe's payloads and headers; its sockets are tests/kernel/test_verify.py's."""

from __future__ import annotations

import struct

from netweather.kernel import probing
from netweather.kernel.probing import Flow


def test_a_payload_is_read_back() -> None:
    data = probing._payload(7, 123456789, bytes(44))
    assert len(data) == probing.SMALLEST + 44
    assert probing._read(data) == (7, 123456789)


def test_any_wrong_bit_is_noticed() -> None:
    data = probing._payload(7, 123456789, bytes(10))
    for bit in range(8 * len(data)):
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        assert probing._read(bytes(wrong)) is None
    assert probing._read(data[:5]) is None


def test_headers_in_front_are_skipped() -> None:
    data = probing._payload(1, 2, bytes(20))
    assert probing._read(probing._inner(b"header" * 5 + data, len(data))) == (1, 2)


def test_checksums_add_up() -> None:
    assert probing.checksum(b"") == 0xFFFF
    wrap = probing.wrapper(Flow(probing.ICMP, "192.0.2.1", "192.0.2.2"), 0, 0)
    assert probing.checksum(wrap(b"some payload")) == 0


def test_tcps_probe_has_rst_set_and_its_ports() -> None:
    flow = Flow(probing.TCP, "192.0.2.1", "192.0.2.2", 40000, 5432)
    packet = probing.wrapper(flow, 40000, 5432)(b"payload")
    source, destination, _, _, _, flags = struct.unpack_from("!HHIIBB", packet)
    assert (source, destination, flags) == (40000, 5432, probing.RST)
    assert packet.endswith(b"payload")


def test_what_stands_in_front_of_a_payload_is_counted() -> None:
    assert Flow(probing.UDP, "192.0.2.1", "192.0.2.2").headers == Flow(probing.ICMP, "192.0.2.1", "192.0.2.2").headers == 28
    assert Flow(probing.TCP, "2001:db8::1", "2001:db8::2").headers == 60
