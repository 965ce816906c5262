from __future__ import annotations

import struct
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.kernel.bpf import libbpf
from netweather.kernel.tracing import tracepoints


def test_what_a_kernel_has_and_lacks() -> None:
    assert tracepoints.exists("syscalls/sys_enter_sendto")
    assert not tracepoints.exists("syscalls/sys_enter_sendtwo")


def test_tracefs_is_mounted_nowhere() -> None:
    before = Path("/proc/self/mountinfo").read_text()
    tracepoints._tracefs.cache_clear()
    tracepoints.exists("syscalls/sys_enter_sendto")
    assert Path("/proc/self/mountinfo").read_text() == before


def test_fields_and_symbols() -> None:
    assert {"skaddr", "oldstate", "newstate", "saddr_v6"} <= tracepoints.fields("sock/inet_sock_set_state")
    states = tracepoints.symbols("sock/inet_sock_set_state")
    assert (states[1], states[2], states[7]) == ("TCP_ESTABLISHED", "TCP_SYN_SENT", "TCP_CLOSE")


def test_a_program_is_attached_with_its_descriptors_and_goes_with_them() -> None:
    loaded = libbpf.load(libbpf.built("syscalls"), constants=struct.pack("=II", 0, 1), only={"nw_enter_old"})
    attached = tracepoints.Attached()
    try:
        assert set(loaded.programs) == {"nw_enter_old"}
        attached.call(loaded.programs["nw_enter_old"], "syscalls/sys_enter_close")
        with pytest.raises(FileNotFoundError):
            attached.call(loaded.programs["nw_enter_old"], "syscalls/sys_enter_none")
        assert len(attached.fds) == 2
    finally:
        attached.close()
        attached.close()
        loaded.close()
    assert attached.fds == []


def test_what_the_kernel_refuses_is_an_error_with_a_remedy() -> None:
    with pytest.raises(NetweatherError, match="no-tracepoints") as caught, tracepoints.refused_as_error("what sockets do"):
        raise PermissionError(13, "Permission denied")
    assert "root" in caught.value.remedy
