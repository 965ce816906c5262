from __future__ import annotations

import errno
import struct
import threading

import pytest

from netweather.kernel.netlink import rtnetlink

GETLINK = 18
HEAD = struct.Struct("=BxHiII")


def test_attributes_are_read_as_they_were_written() -> None:
    inner = rtnetlink.text(1, "veth")
    data = rtnetlink.text(3, "eth0") + rtnetlink.number(4, 1500) + rtnetlink.attribute(18, inner, rtnetlink.number(2, 7))
    found = rtnetlink.attributes(data)
    assert len(data) % 4 == 0
    assert rtnetlink.as_text(found[3]) == "eth0"
    assert struct.unpack("=I", found[4]) == (1500,)
    assert rtnetlink.as_text(rtnetlink.attributes(found[18])[1]) == "veth"


def test_what_is_cut_off_is_no_attribute() -> None:
    assert rtnetlink.attributes(rtnetlink.number(1, 2) + b"\x08") == {1: struct.pack("=I", 2)}


def test_the_first_attribute_of_a_kind() -> None:
    data = b"head" + rtnetlink.number(1, 7) + rtnetlink.number(2, 8) + rtnetlink.number(2, 9) + b"\x08"
    assert rtnetlink.first_attribute(data, 2, 4) == struct.pack("=I", 8)
    assert rtnetlink.first_attribute(data, 3, 4) is None


def test_a_list_is_whole_and_one_question_has_one_answer() -> None:
    names = [
        rtnetlink.as_text(rtnetlink.attributes(body[HEAD.size :])[3])
        for body in rtnetlink.ask(GETLINK, rtnetlink.DUMP, HEAD.pack(0, 0, 0, 0, 0))
    ]
    assert "lo" in names
    (one,) = rtnetlink.ask(GETLINK, 0, HEAD.pack(0, 0, 1, 0, 0))
    assert HEAD.unpack_from(one)[2] == 1


def test_a_refusal_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="No such device") as failure:
        rtnetlink.ask(GETLINK, 0, HEAD.pack(0, 0, 2**30, 0, 0))
    assert failure.value.errno == errno.ENODEV


def test_the_kernels_own_explanation_is_the_errors_text() -> None:
    """A real kernel's: a neighbour is asked for with a state, which no request has."""
    with pytest.raises(OSError, match="header for neighbor get request") as failure:
        rtnetlink.ask(30, 0, struct.pack("=BBHiHBB", 2, 0, 0, 1, 7, 0, 0))
    assert failure.value.errno == errno.EINVAL


ERROR, DONE, LINK = 2, 3, 16
EXPLAINED, INTERRUPTED = 0x200, 0x10
Answer = tuple[int, int, bytes]


class Channel:
    """A socket that answers each request with the next of its replies: (kind, flags, body) of each message."""

    def __init__(self, *replies: list[Answer]) -> None:
        self.replies = iter(replies)
        self.sent: list[bytes] = []

    def __call__(self, protocol: int = rtnetlink.ROUTE) -> Channel:
        return self

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        parts = (struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body for kind, flags, body in next(self.replies))
        self.waiting = [part + bytes(-len(part) % 4) for part in parts]

    def recv(self, size: int) -> bytes:
        return self.waiting.pop(0)

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_: object) -> None: ...


def test_an_explanation_stands_behind_the_head_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = rtnetlink.number(2, 36) + rtnetlink.text(1, "Specified qdisc kind is unknown")
    refusal = struct.pack("=i", -errno.ENOENT)
    replies = (
        [(ERROR, EXPLAINED | 0x100, refusal + bytes(16) + sentence)],
        [(DONE, EXPLAINED, refusal + sentence)],
        [(ERROR, 0, refusal)],
    )
    monkeypatch.setattr(rtnetlink, "opened", Channel(*replies))
    texts = []
    for flags in (rtnetlink.ACK, rtnetlink.DUMP, rtnetlink.ACK):
        with pytest.raises(FileNotFoundError) as failure:
            rtnetlink.ask(36, flags, b"")
        texts.append(failure.value.strerror)
    assert texts == ["Specified qdisc kind is unknown"] * 2 + ["No such file or directory"]


def test_the_first_refusal_of_changes_made_together_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    done, refused = struct.pack("=i", 0), struct.pack("=i", -errno.EEXIST)
    monkeypatch.setattr(rtnetlink, "opened", Channel([(ERROR, 0x100, done + bytes(16)), (ERROR, 0x100, refused + bytes(16))]))
    with pytest.raises(FileExistsError):
        rtnetlink.change_together((36, rtnetlink.ACK, b""), (44, rtnetlink.ACK, b""))


def test_a_list_that_changed_meanwhile_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    torn = [(LINK, 0, b"half"), (LINK, INTERRUPTED, b"torn"), (DONE, INTERRUPTED, bytes(4))]
    whole = [(LINK, 2, b"eth0"), (LINK, 2, b"eth1"), (DONE, 2, bytes(4))]
    channel = Channel(torn, whole, *[torn] * 10)
    monkeypatch.setattr(rtnetlink, "opened", channel)
    assert rtnetlink.ask(GETLINK, rtnetlink.DUMP, b"", rtnetlink.SOCK_DIAG) == [b"eth0", b"eth1"]
    with pytest.raises(BlockingIOError):
        rtnetlink.ask(GETLINK, rtnetlink.DUMP, b"")
    assert len(channel.sent) == 12


def test_devices_are_changed_one_at_a_time_and_looked_at_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is deleted waits for the kernel mostly without its lock, and must not be waited for."""
    asked: list[int] = []

    def answered(kind: int, flags: int, body: bytes, protocol: int) -> tuple[list[bytes], bool]:
        asked.append(kind)
        return [], True

    monkeypatch.setattr(rtnetlink, "_ask", answered)
    with rtnetlink.DEVICES:
        changes = threading.Thread(target=rtnetlink.ask, args=(19, rtnetlink.ACK, b""))
        changes.start()
        rtnetlink.ask(18, rtnetlink.DUMP, b"")
        rtnetlink.ask(rtnetlink.DELLINK, rtnetlink.ACK, b"")
        changes.join(0.1)
        assert asked == [18, rtnetlink.DELLINK]
    changes.join(20)
    assert asked == [18, rtnetlink.DELLINK, 19]
