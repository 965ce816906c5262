"""Verify without a wire: reading back, choosing the other end, and what can't be told. The wire is tests/kernel/test_verify.py's."""

from __future__ import annotations

from contextlib import nullcontext
from ipaddress import ip_network
from typing import cast

import pytest

from netweather.conditions import Condition, Delay, Match, NetworkCondition, Rule
from netweather.engine import Engine, verification
from netweather.engine.verification import Other, VerifyOptions, verify
from netweather.errors import NetweatherError
from netweather.kernel.datapath.fake import FakeKernel
from netweather.kernel.namespaces import Namespace
from netweather.targets import Peer, Target
from netweather.units import Duration
from tests.unit.engine.conftest import Bench as EngineBench

Bench = tuple[Engine, FakeKernel, Target]
ADDRESSES = {"host": "203.0.113.1"}
DELAY = NetworkCondition(rules=(Rule(Match(), Condition(delay=Delay(Duration(10**8)))),))


@pytest.fixture
def bench(bench: EngineBench) -> Bench:
    return bench.engine, bench.kernel, bench.target


def test_nothing_in_force_is_an_error(bench: Bench) -> None:
    engine, _, target = bench
    with pytest.raises(NetweatherError) as caught:
        verify(engine, target)
    assert caught.value.code == "no-such-condition"


def test_without_a_peer_it_cannot_tell_and_says_what_to_give(bench: Bench) -> None:
    engine, _, target = bench
    engine.set(target, DELAY)
    (found,) = verify(engine, target)
    assert found.verdict == "CAN'T TELL"
    assert "--peer" in found.measured[0].figures[0].why
    assert found.kernel["inForce"] is True
    assert found.expected[0]["delayMedian"] == 0.1


def test_what_the_kernel_does_not_hold_fails_and_nothing_is_sent(bench: Bench) -> None:
    engine, kernel, target = bench
    engine.set(target, DELAY)
    kernel.kill_pump()
    (found,) = verify(engine, target, VerifyOptions(to="192.0.2.1"))
    assert found.verdict == "FAIL"
    assert "nothing was sent" in found.measured[0].probe


def test_only_the_named_condition(bench: Bench) -> None:
    engine, _, target = bench
    engine.set(target, DELAY)
    assert [each.name for each in verify(engine, target, VerifyOptions(name="default"))] == ["default"]
    with pytest.raises(NetweatherError):
        verify(engine, target, VerifyOptions(name="other"))


def test_the_first_single_address_of_the_match_is_the_peer(bench: Bench) -> None:
    target = bench[2]
    with verification._other(target, Match(to=("198.51.100.0/24", "192.0.2.7")), VerifyOptions()) as other:
        assert other == Other(("192.0.2.7",), None, "192.0.2.7")
    with verification._other(target, Match(to=("192.0.2.7",)), VerifyOptions(to="192.0.2.9")) as other:
        assert other is not None
        assert other.addresses == ("192.0.2.9",)
    with verification._other(
        target, Match(to=("fd00::9",)), VerifyOptions()
    ) as other:  # it begins as the words of a reference do
        assert other is not None
        assert other.addresses == ("fd00::9",)
    with verification._other(target, Match(to=("198.51.100.0/24",)), VerifyOptions()) as other:
        assert other is None


def test_a_peer_that_can_be_entered_is_taken_first_and_for_who_names_none_somebody_answers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: list[str] = []
    monkeypatch.setattr(verification, "_entered", lambda word, _: (entered.append(word), nullcontext())[1])
    monkeypatch.setattr(verification, "resolve_peers", lambda word, _: (Peer(ip_network(ADDRESSES.get(word, word)), word),))
    wish = VerifyOptions(nearby={"198.51.100.9": "cri:there"}, anybody="host")
    with verification._other(bench[2], Match(to=("192.0.2.7", "198.51.100.9")), wish) as other:
        assert (other and other.addresses, entered) == (("198.51.100.9",), ["cri:there"])
    with verification._other(bench[2], Match(), wish) as other:
        assert (other and other.addresses, entered) == (("203.0.113.1",), ["cri:there", "host"])
    with verification._other(bench[2], Match(to=("192.0.2.7",)), wish) as other:
        assert (other and other.addresses, entered) == (("192.0.2.7",), ["cri:there", "host"])


def test_the_family_of_the_match_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "source", lambda namespace, remote: f"from {remote}")
    nowhere = cast("Namespace", None)
    both = Other(("192.0.2.7", "2001:db8::7"))
    assert verification._addresses(nowhere, Match(), both) == ("from 192.0.2.7", "192.0.2.7")
    assert verification._addresses(nowhere, Match(family="ipv6"), both) == ("from 2001:db8::7", "2001:db8::7")
    assert verification._addresses(nowhere, Match(family="ipv6"), Other(("192.0.2.7",))) is None
