from __future__ import annotations

import contextlib
import errno
from typing import Any

import pytest

from netweather.kernel import namespaces
from netweather.kernel.bpf import libbpf
from netweather.kernel.bpf.hooks import Clsact, Hook, Ours, Tcx, best_hook
from netweather.kernel.netlink import links


@pytest.mark.parametrize("hook", [Tcx(), Clsact()], ids=["tcx", "clsact"])
def test_attached_found_replaced_and_detached(make_lab: Any, hook: Hook) -> None:
    if hook.name == "tcx" and best_hook().name != "tcx":
        pytest.skip("this kernel has no tcx (Linux 6.6)")
    with make_lab() as net, namespaces.opened(net.client.path) as inside:
        eth0 = inside.run(lambda: links.device("eth0"))
        assert eth0 is not None
        one, two = libbpf.load(libbpf.built("return")), libbpf.load(libbpf.built("return"))
        first, second = one.programs["nw_return"], two.programs["nw_return"]

        def ids() -> list[int]:
            found = hook.programs(eth0.ifindex, "ingress")
            for program in found:
                program.close()
            return [program.id for program in found]

        try:
            inside.run(lambda: hook.attach(eth0.ifindex, "ingress", first))
            inside.run(lambda: hook.attach(eth0.ifindex, "ingress", first))
            assert inside.run(ids) == [first.id]
            inside.run(lambda: hook.attach(eth0.ifindex, "ingress", second))
            assert inside.run(ids) == [second.id]
            inside.run(lambda: hook.detach(eth0.ifindex, "ingress", second))
            inside.run(lambda: hook.detach(eth0.ifindex, "ingress", second))
            assert inside.run(ids) == []
        finally:
            one.close()
            two.close()


@pytest.mark.parametrize("hook", [Tcx(), Clsact()], ids=["tcx", "clsact"])
def test_an_interface_that_is_gone_is_an_error_of_the_system(make_lab: Any, hook: Hook) -> None:
    if hook.name == "tcx" and best_hook().name != "tcx":
        pytest.skip("this kernel has no tcx (Linux 6.6)")
    with (
        make_lab() as net,
        namespaces.opened(net.client.path) as inside,
        contextlib.closing(libbpf.load(libbpf.built("return"))) as one,
        pytest.raises(OSError, match=r"[Nn]o such device"),
    ):
        inside.run(lambda: hook.attach(4711, "ingress", one.programs["nw_return"]))


def test_tcx_is_best_where_it_is() -> None:
    assert best_hook().name in ("tcx", "clsact")


@pytest.mark.parametrize("theirs", [False, True])
def test_only_a_clsact_of_ours_is_taken_away(make_lab: Any, theirs: bool) -> None:
    hook = Clsact()
    with make_lab() as net, namespaces.opened(net.client.path) as inside:
        if theirs:
            net.client.run("tc", "qdisc", "add", "dev", "eth0", "clsact")
        before = net.client.run("tc", "-j", "qdisc").stdout
        eth0 = inside.run(lambda: links.device("eth0"))
        assert eth0 is not None
        loaded = libbpf.load(libbpf.built("return"))
        program = loaded.programs["nw_return"]
        try:
            for direction in ("ingress", "egress"):
                inside.run(lambda direction=direction: hook.attach(eth0.ifindex, direction, program))
            assert "clsact" in net.client.run("tc", "qdisc").stdout
            for direction in ("ingress", "egress"):
                inside.run(lambda direction=direction: hook.detach(eth0.ifindex, direction, program))
            assert net.client.run("tc", "-j", "qdisc").stdout == before
        finally:
            loaded.close()


@pytest.mark.parametrize("has_clsact", [True, False], ids=["clsact", "tcx"])
def test_a_device_of_ours_has_clsact_or_where_that_is_missing_tcx(
    make_lab: Any, monkeypatch: pytest.MonkeyPatch, has_clsact: bool
) -> None:
    if not has_clsact:
        if best_hook().name != "tcx":
            pytest.skip("this kernel has no tcx (Linux 6.6)")

        def refuse(*_: object) -> None:
            raise OSError(errno.ENOENT, "no clsact")

        monkeypatch.setattr(Clsact, "attach", refuse)
    with (
        make_lab() as net,
        namespaces.opened(net.client.path) as inside,
        contextlib.closing(libbpf.load(libbpf.built("return"))) as loaded,
    ):
        eth0 = inside.run(lambda: links.device("eth0"))
        assert eth0 is not None
        inside.run(lambda: Ours().attach(eth0.ifindex, loaded.programs["nw_return"]))
        found = inside.run(lambda: Ours().programs(eth0.ifindex))
        assert [program.id for program in found] == [loaded.programs["nw_return"].id]
        for program in found:
            program.close()
        assert ("clsact" in net.client.run("tc", "qdisc", "show", "dev", "eth0").stdout) is has_clsact
