"""tools/bench/classifier.py: the packets meet the rules they are meant to, so that the times are of that."""

from collections.abc import Iterator

import pytest

from netweather.kernel.bpf import libbpf
from netweather.kernel.namespaces import Namespace
from tools.bench.classifier import CONTEXT_SIZE, FIRST_PORT, IFINDEX_AT, OTHER_PORT, Loaded, frame, loaded, peer, run
from tools.bench.network import Net
from tools.bench.rounds import Plan

pytestmark = pytest.mark.root


@pytest.fixture
def hundred(net: Net) -> Iterator[Loaded]:
    from netweather.kernel.netlink import links

    with Namespace(net.target.netns_fd) as namespace:
        device = namespace.run(lambda: links.device("eth0"))
        assert device
        with loaded(namespace, device.ifindex, 100) as made:
            yield made


def verdict(one: Loaded, packet: bytes) -> int:
    context = bytearray(CONTEXT_SIZE)
    context[IFINDEX_AT : IFINDEX_AT + 4] = one.ifindex.to_bytes(4, "little")
    return one.namespace.run(lambda: libbpf.test_run(one.classifier.programs["nw_egress"], packet, bytes(context)))[0]


def test_the_last_rule_matches_again_and_again(hundred: Loaded) -> None:
    packet = frame(peer(99), FIRST_PORT + 99)
    assert verdict(hundred, packet) == 7  # TC_ACT_REDIRECT, to nowhere
    assert hundred.time(packet, 1000) > 0
    counted = {rule: packets for rule, (packets, _, _) in hundred.classifier.counters([98, 99]).items()}
    assert counted == {98: 0, 99: 1001}


def test_another_port_matches_none(hundred: Loaded) -> None:
    assert verdict(hundred, frame(peer(99), OTHER_PORT)) == 2**32 - 1  # TCX_NEXT


def test_rows(plan: Plan) -> None:
    rows = list(run(plan))
    assert len(rows) == 8
    assert [one.name for one in rows if one.goal] == [
        "1,000 rules, the last one matches",
        "1,000 rules, peer and protocol match, port doesn't",
    ]
    assert all(one.figure and 10 < one.figure.median < 20_000 for one in rows)
