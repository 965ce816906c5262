"""Offsets of members, from BTF made by hand and from the compiler's."""

from __future__ import annotations

import struct

import pytest

from netweather.kernel.bpf import btf

STRINGS = b"\0net\0ns\0inum\0flags\0"
AT = {name: STRINGS.index(b"\0" + name.encode() + b"\0") + 1 for name in ("net", "ns", "inum", "flags")}


def types(*, bitfields: bool = False) -> bytes:
    """One int, and `struct net { int ns; int inum; }`: the first at 152, the second at 160."""
    integer = struct.pack("=IIII", AT["flags"], 1 << 24, 4, 32)
    info = 4 << 24 | 2 | int(bitfields) << 31
    width = 32 << 24 if bitfields else 0
    members = struct.pack("=III", AT["ns"], 1, width | 152 * 8) + struct.pack("=III", AT["inum"], 1, width | 160 * 8)
    body = integer + struct.pack("=III", AT["net"], info, 200) + members
    return struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(body), len(body), len(STRINGS)) + body + STRINGS


@pytest.mark.parametrize("bitfields", [False, True])
def test_members_are_found(bitfields: bool) -> None:
    found = btf.Types(types(bitfields=bitfields))
    assert (found.offset("net", "ns"), found.offset("net", "inum")) == (152, 160)


@pytest.mark.parametrize(("structure", "member"), [("net", "flags"), ("ns", "inum"), ("unknown", "ns")])
def test_what_is_not_there_is_a_lookup_error(structure: str, member: str) -> None:
    with pytest.raises(LookupError):
        btf.Types(types()).offset(structure, member)


@pytest.mark.parametrize("data", [b"", bytes(64)])
def test_what_is_no_btf_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no BTF"):
        btf.Types(data)


def test_a_kernel_that_does_not_tell_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: btf.Path) -> None:
    monkeypatch.setattr(btf, "TYPES", tmp_path / "vmlinux")
    assert btf.offsets(("net", "unheard-of")) is None
    btf.TYPES.write_bytes(types())
    assert btf.offsets(("net", "ns"), ("net", "inum")) == (152, 160)
