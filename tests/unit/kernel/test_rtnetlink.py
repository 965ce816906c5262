from __future__ import annotations

import errno
import struct
import threading

import pytest

from netweather.kernel import rtnetlink

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


def test_devices_are_changed_one_at_a_time_and_looked_at_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is deleted waits for the kernel mostly without its lock, and must not be waited for."""
    asked: list[int] = []

    def answered(kind: int, flags: int, body: bytes) -> tuple[list[bytes], bool]:
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
