from __future__ import annotations

import struct
from typing import Any

import pytest

from netweather.errors import NetweatherError
from netweather.kernel import namespaces
from netweather.kernel.bpf import libbpf
from netweather.kernel.bpf.hooks import best_hook
from netweather.kernel.netlink import links


def test_an_object_is_loaded_with_its_sizes_and_constants() -> None:
    loaded = libbpf.load(libbpf.built("classify"), {"rules": 10, "bits": 20}, struct.pack("=III", 5, 10, 1))
    try:
        assert set(loaded.programs) == {"nw_egress", "nw_ingress"}
        assert loaded.maps["rules"].max_entries == 10
        assert loaded.programs["nw_egress"].id in {libbpf.Program.by_id(p.id).id for p in loaded.programs.values()}
        assert loaded.programs["nw_egress"].maps()["rules"].id == loaded.maps["rules"].id
    finally:
        loaded.close()


def test_what_the_kernel_refuses_is_told_in_the_verifiers_words() -> None:
    with pytest.raises(NetweatherError) as wrong:
        libbpf.load(_broken(libbpf.built("return")))
    assert wrong.value.code == "bpf-refused"
    assert "R9 !read_ok" in wrong.value.why


def _broken(image: bytes) -> bytes:
    """The same object, whose first instruction of its programs reads what nobody has written: r0 = r9."""
    sections, (count, names) = struct.unpack_from("<Q", image, 0x28)[0], struct.unpack_from("<HH", image, 0x3C)
    headers = [struct.unpack_from("<IIQQQQ", image, sections + 64 * number) for number in range(count)]
    text = headers[names][4]
    (start,) = (place for name, _, _, _, place, _ in headers if image[text + name :].startswith(b"tc\0"))
    return image[:start] + bytes((0xBF, 0x90, 0, 0, 0, 0, 0, 0)) + image[start + 8 :]


def test_maps_are_written_read_and_mapped() -> None:
    loaded = libbpf.load(libbpf.built("steer"))
    try:
        exits, steering = loaded.maps["exits"], loaded.maps["steering"]
        key = struct.pack("=I", 7)
        assert exits.lookup(key) is None
        exits.update(key, struct.pack("=I", 3))
        assert exits.lookup(key) == struct.pack("=I", 3)
        assert list(exits.all_keys()) == [key]
        exits.delete(key)
        exits.delete(key)
        assert list(exits.all_keys()) == []
        steering.mapped[0:4] = struct.pack("=I", 42)
        found = steering.lookup(bytes(4))
        assert found is not None
        assert found[:4] == struct.pack("=I", 42)
    finally:
        loaded.close()


def test_a_map_can_be_kept_from_one_object_to_the_next() -> None:
    first = libbpf.load(libbpf.built("steer"))
    second = libbpf.load(libbpf.built("steer"), reused={"steering": first.maps["steering"]})
    try:
        assert first.maps["steering"].id == second.maps["steering"].id
        assert first.maps["exits"].id != second.maps["exits"].id
    finally:
        first.close()
        second.close()


def test_tcx_programs_come_first_stay_and_go(make_lab: Any) -> None:
    if best_hook().name != "tcx":
        pytest.skip("this kernel has no tcx (Linux 6.6)")
    with make_lab() as net, namespaces.opened(net.client.path) as inside:
        eth0 = inside.run(lambda: links.device("eth0"))
        assert eth0 is not None
        one, two = libbpf.load(libbpf.built("return")), libbpf.load(libbpf.built("steer"))
        first, second = one.programs["nw_return"], two.programs["nw_steer"]
        try:
            inside.run(lambda: libbpf.tcx_attach(eth0.ifindex, libbpf.TCX_INGRESS, first))
            inside.run(lambda: libbpf.tcx_attach(eth0.ifindex, libbpf.TCX_INGRESS, second))
            assert inside.run(lambda: libbpf.tcx_query(eth0.ifindex, libbpf.TCX_INGRESS)) == [second.id, first.id]
            inside.run(lambda: libbpf.tcx_detach(eth0.ifindex, libbpf.TCX_INGRESS, second))
            with pytest.raises(FileNotFoundError):
                inside.run(lambda: libbpf.tcx_detach(eth0.ifindex, libbpf.TCX_INGRESS, second))
            assert inside.run(lambda: libbpf.tcx_query(eth0.ifindex, libbpf.TCX_INGRESS)) == [first.id]
        finally:
            one.close()
            two.close()


def test_a_program_can_be_run_on_a_frame() -> None:
    loaded = libbpf.load(libbpf.built("return"))
    try:
        verdict, duration = libbpf.test_run(loaded.programs["nw_return"], bytes(64), repeat=100)
        assert verdict == 2  # SHOT: not one of ours
        assert duration >= 0
    finally:
        loaded.close()


def test_what_is_not_built_is_told() -> None:
    with pytest.raises(NetweatherError, match="not-built"):
        libbpf.built("nothing")
    with pytest.raises(NetweatherError, match="bpf-broken"):
        libbpf.load(b"not an object")
