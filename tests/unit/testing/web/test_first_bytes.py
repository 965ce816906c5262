"""testing/web/first_bytes.py: on what OpenSSL and browsers really say, and on anything at all."""

from __future__ import annotations

import ssl
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netweather.testing.web.first_bytes import MOST, Incomplete, host_in


def hello(name: str | None, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    """What OpenSSL says first to a host of this name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = newest
    heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(heard, said, server_hostname=name).do_handshake()
    return said.read()


def in_records(words: bytes, size: int) -> bytes:
    """The same message in several records of so many bytes."""
    pieces = [words[5:][at : at + size] for at in range(0, len(words) - 5, size)]
    return b"".join(words[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("name", "told"), [("Shop.example.org", "shop.example.org"), ("a", "a"), (None, None), ("192.0.2.7", None)]
)
def test_what_tls_asks_for(newest: ssl.TLSVersion, name: str | None, told: str | None) -> None:
    words = hello(name, newest)
    assert host_in(words) == told
    assert host_in(in_records(words, 11)) == told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (b"GET / HTTP/1.1\r\nAccept: x\r\nHost: shop.example.org:8080\r\n\r\nmore", "shop.example.org"),
        (b"GET / HTTP/1.1\r\nHOST:Shop\r\n\r\n", "shop"),
        (b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "2001:db8::1"),
        (b"GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n", "2001:db8::1"),
        (b"GET / HTTP/1.0\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n", None),
        (b"\x16\x03\x01\x00\x00", None),
        (b"x" * MOST, None),
    ],
)
def test_what_http_asks_for(words: bytes, told: str | None) -> None:
    assert host_in(words) == told


@pytest.mark.parametrize("words", [hello("shop.example.org"), b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"], ids=["tls", "http"])
def test_until_all_of_it_is_there_more_is_needed(words: bytes) -> None:
    for length in range(len(words)):
        with pytest.raises(Incomplete):
            host_in(words[:length])


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda tail: hello("a")[:60] + tail)))
@example(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")
def test_whatever_comes_is_answered(words: bytes) -> None:
    with suppress(Incomplete):
        assert host_in(words) is None or isinstance(host_in(words), str)
