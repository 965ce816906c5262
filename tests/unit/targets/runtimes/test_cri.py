from __future__ import annotations

import os
from collections.abc import Callable
from ipaddress import ip_address

import grpc
import pytest

from netweather.errors import NetweatherError
from netweather.targets import _addresses
from netweather.targets.model import Target
from netweather.targets.references import parse
from netweather.targets.resolving import complete
from netweather.targets.runtimes.cri import RUNTIME, references_by_address
from tests.unit.targets.fake_cri import OWN_NETWORK, FakePod, Runtime

Refused = Callable[[Callable[[], object]], NetweatherError]


def open_all(text: str, *, as_peer: bool = False) -> list[Target]:
    """Opens and closes, for tests that only look at what came."""
    found = RUNTIME.open(parse(text), as_peer=as_peer)
    for target in found:
        target.close()
    return found


def test_a_pod_by_name_and_by_the_ids_of_its_parts(cri: Runtime) -> None:
    cri.add("shop/api-0", id="ab" * 32, containers=("cd" * 32,), addresses=("192.0.2.2", "2001:db8::2"))
    own = os.stat("/proc/self/ns/net")
    for word in ("pod:shop/api-0", f"cri:{'ab' * 32}", f"cri:{'cd' * 32}"):
        (target,) = open_all(word)
        assert (target.reference, target.name, target.runtime) == (word, "shop/api-0", word.partition(":")[0])
        assert (target.dev, target.ino, target.pid, target.path) == (own.st_dev, own.st_ino, os.getpid(), OWN_NETWORK)
        assert target.addresses == (ip_address("192.0.2.2"), ip_address("2001:db8::2"))


def test_labels_name_every_ready_pod(cri: Runtime) -> None:
    cri.add("shop/b", labels={"app": "web", "tier": "front"})
    cri.add("shop/a", labels={"app": "web"})
    cri.add("shop/old", labels={"app": "web"}, state=1)
    cri.add("blog/c", labels={"app": "web"})
    assert [target.name for target in open_all("pod:shop/label=app=web")] == ["shop/a", "shop/b"]
    assert [target.name for target in open_all("cri:label=app=web")] == ["blog/c", "shop/a", "shop/b"]


def test_of_several_attempts_the_ready_one_is_the_pod(cri: Runtime) -> None:
    cri.add("shop/a", state=1)
    ready = cri.add("shop/a", created_at=2)
    cri.before_inspect = lambda pod: pytest.fail("not this one") if pod is not ready else None
    assert len(open_all("pod:shop/a")) == 1


def test_what_is_not_there_names_what_is(cri: Runtime, refused: Refused) -> None:
    cri.add("shop/api-0")
    cri.add("shop/api-9", state=1)
    error = refused(lambda: open_all("pod:shop/api-1"))
    assert (error.code, error.why) == ("unknown-target", "similar pods on this node: shop/api-0")
    error = refused(lambda: open_all("pod:shop/api-9"))
    assert (error.code, error.why) == ("target-not-running", "shop/api-9")


def test_the_beginning_of_an_id_is_completed_for_a_command_line_and_names_nothing_else(cri: Runtime, refused: Refused) -> None:
    cri.add("shop/a", id="ab" * 32, containers=("cd" * 32,))
    cri.add("shop/b", id="ab" * 30 + "cdef")
    for word in ("ab", "ab" * 31, "cd" * 6):
        error = refused(lambda word=word: open_all(f"cri:{word}"))  # type: ignore[misc]
        assert error.code == "unknown-target"
        assert all(each in error.why for each in ("ab" * 32, "cd" * 32) if each.startswith(word))
        assert RUNTIME.watch(parse(f"cri:{word}")).present() == set()
    assert complete("cri:" + "cd" * 6) == f"cri:{'cd' * 32}"
    assert complete("cri:" + "ab" * 31) == f"cri:{'ab' * 32}"
    assert complete("cri:" + "cd" * 5) == "cri:" + "cd" * 5
    assert refused(lambda: complete("cri:" + "ab" * 6)).code == "ambiguous-target"


def test_the_nodes_network_is_refused_and_yet_a_peer(cri: Runtime, refused: Refused) -> None:
    cri.add("shop/a", on_host=True)
    assert refused(lambda: open_all("pod:shop/a")).code == "host-namespace"
    assert len(open_all("pod:shop/a", as_peer=True)) == 1


def test_a_sandbox_without_a_process_is_opened_by_its_file(cri: Runtime, refused: Refused) -> None:
    spec = {"linux": {"namespaces": [{"type": "pid"}, Runtime.network(OWN_NETWORK)]}}
    cri.add("shop/a", info={"runtimeSpec": spec})
    (target,) = open_all("pod:shop/a")
    assert (target.pid, target.path) == (None, OWN_NETWORK)
    cri.add("shop/b", info={})
    assert refused(lambda: open_all("pod:shop/b")).code == "target-elsewhere"


def test_a_pid_that_is_somebody_elses_here_is_refused(cri: Runtime, refused: Refused) -> None:
    cri.add("shop/a", info={"pid": os.getppid(), "runtimeSpec": {"linux": {"namespaces": [Runtime.network("/nonexistent")]}}})
    assert refused(lambda: open_all("pod:shop/a")).code == "target-elsewhere"


def test_a_pod_that_ends_while_it_is_looked_at_is_refused(cri: Runtime, refused: Refused) -> None:
    looks = iter([0, 1])

    def stop(pod: FakePod) -> None:
        pod.state = next(looks)

    cri.add("shop/a")
    cri.before_inspect = stop
    assert refused(lambda: open_all("pod:shop/a")).code == "target-changed"


def test_the_list_tells_what_can_be_a_target(cri: Runtime, monkeypatch: pytest.MonkeyPatch, no_host: None) -> None:
    cri.add("shop/api-0", id="ab" * 32)
    cri.add("shop/gone", state=1)
    cri.add("shop/lost", info={})
    seen = _addresses.NamespaceAddresses((ip_address("192.0.2.2"),), ("eth0",))
    monkeypatch.setattr(_addresses, "look", lambda target: seen)
    api, lost = RUNTIME.listings()
    assert (api.reference, api.runtime, api.state, api.id) == ("pod:shop/api-0", "pod", "ready", "ab" * 32)
    assert (api.addresses, api.interfaces, api.pid, api.note) == (seen.addresses, seen.interfaces, os.getpid(), "")
    assert "does not report" in lost.note


def test_the_list_of_a_node_without_cri_is_empty_and_a_broken_one_an_error(
    cri: Runtime, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    cri.code = grpc.StatusCode.INTERNAL
    assert refused(RUNTIME.listings).code == "cri-failed"
    cri.code = grpc.StatusCode.UNIMPLEMENTED
    assert RUNTIME.listings() == []
    monkeypatch.delenv("CONTAINER_RUNTIME_ENDPOINT")
    monkeypatch.setattr("netweather.targets.runtimes._criapi.SOCKETS", ("/nonexistent/cri.sock",))
    assert RUNTIME.listings() == []


def test_sandboxes_are_found_by_their_addresses_unless_those_are_the_node_s(cri: Runtime) -> None:
    cri.add("shop/a", id="aa", addresses=("192.0.2.2", "2001:db8::2"))
    cri.add("shop/b", id="bb", addresses=("203.0.113.1",), on_host=True)
    cri.add("shop/c", id="cc", addresses=("192.0.2.3",))
    assert references_by_address(["aa", "bb", "gone"]) == {"192.0.2.2": "cri:aa", "2001:db8::2": "cri:aa"}
