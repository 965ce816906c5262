"""The probe's payloads and headers; its sockets are tests/kernel/test_verify.py's."""

from __future__ import annotations

import struct

from netweather.kernel.traffic import probe_packets
from netweather.kernel.traffic.probe_packets import Flow


def test_a_payload_is_read_back() -> None:
    data = probe_packets._payload(7, 123456789, bytes(44))
    assert len(data) == probe_packets.SMALLEST + 44
    assert probe_packets._read(data) == (7, 123456789)


def test_any_wrong_bit_is_noticed() -> None:
    data = probe_packets._payload(7, 123456789, bytes(10))
    for bit in range(8 * len(data)):
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        assert probe_packets._read(bytes(wrong)) is None
    assert probe_packets._read(data[:5]) is None


def test_headers_in_front_are_skipped() -> None:
    data = probe_packets._payload(1, 2, bytes(20))
    assert probe_packets._read(probe_packets._inner(b"header" * 5 + data, len(data))) == (1, 2)


def test_checksums_add_up() -> None:
    assert probe_packets.checksum(b"") == 0xFFFF
    wrap = probe_packets.wrapper(Flow(probe_packets.ICMP, "192.0.2.1", "192.0.2.2"), 0, 0)
    assert probe_packets.checksum(wrap(b"some payload")) == 0


def test_tcps_probe_has_rst_set_and_its_ports() -> None:
    flow = Flow(probe_packets.TCP, "192.0.2.1", "192.0.2.2", 40000, 5432)
    packet = probe_packets.wrapper(flow, 40000, 5432)(b"payload")
    source, destination, _, _, _, flags = struct.unpack_from("!HHIIBB", packet)
    assert (source, destination, flags) == (40000, 5432, probe_packets.RST)
    assert packet.endswith(b"payload")


def test_what_stands_in_front_of_a_payload_is_counted() -> None:
    assert (
        Flow(probe_packets.UDP, "192.0.2.1", "192.0.2.2").headers
        == Flow(probe_packets.ICMP, "192.0.2.1", "192.0.2.2").headers
        == 28
    )
    assert Flow(probe_packets.TCP, "2001:db8::1", "2001:db8::2").headers == 60
