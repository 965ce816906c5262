from __future__ import annotations

from ipaddress import ip_network

import pytest

from netweather.errors import NetweatherError, UsageError
from netweather.targets import peers
from netweather.targets.model import Peer, Prefix, Target
from netweather.targets.peers import Peers
from tests.support.clock import FakeClock

ONE, TWO = ip_network("192.0.2.1/32"), ip_network("192.0.2.2/32")


class Answers:
    """What words mean, in place of `peers.resolved`: a list for each, whose last answer stays."""

    def __init__(self) -> None:
        self.of: dict[str, list[tuple[Prefix, ...] | NetweatherError]] = {}
        self.ttl = 60.0

    def __call__(self, word: str, target: Target | None) -> tuple[tuple[Peer, ...], float]:
        found = self.of[word].pop(0) if len(self.of[word]) > 1 else self.of[word][0]
        if isinstance(found, NetweatherError):
            raise found
        return tuple(Peer(prefix, word) for prefix in found), self.ttl


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    made = Answers()
    monkeypatch.setattr(peers, "resolved", made)
    return made


def test_the_first_set_comes_at_once_and_then_every_change(answers: Answers) -> None:
    answers.of = {"db": [(ONE,), (ONE,), (ONE, TWO)], "mail": [(TWO,)]}
    clock = FakeClock(0)
    with Peers(["db", "mail", "db"], clock=clock) as sets:
        assert next(sets) == {"db": (ONE,), "mail": (TWO,)}
        assert clock.time == 0
        assert next(sets) == {"db": (ONE, TWO), "mail": (TWO,)}
        assert clock.time == 120


def test_a_name_that_does_not_resolve_keeps_what_it_had(answers: Answers) -> None:
    missing = NetweatherError("unresolvable-peer", "no")
    answers.of = {"db": [(ONE,), missing, missing, (TWO,)], "never": [missing]}
    problems: list[tuple[str, str]] = []
    with Peers(["db", "never"], None, lambda word, problem: problems.append((word, problem.code)), FakeClock()) as sets:
        assert next(sets) == {"db": (ONE,), "never": ()}
        assert next(sets) == {"db": (TWO,), "never": ()}
    assert problems == [("never", "unresolvable-peer"), ("db", "unresolvable-peer")]


@pytest.mark.parametrize(("code", "left"), [("unknown-target", ()), ("docker-unreachable", (ONE,))])
def test_a_container_that_is_gone_has_no_addresses_and_an_engine_that_fails_takes_none(
    code: str, left: tuple[Prefix, ...], answers: Answers
) -> None:
    answers.of = {"docker:db": [(ONE,), NetweatherError(code, "no")], "clock": [(TWO,), (TWO,), (ONE,)]}
    with Peers(["docker:db", "clock"], clock=FakeClock()) as sets:
        assert next(sets)["docker:db"] == (ONE,)
        while (found := next(sets))["clock"] != (ONE,):
            continue
        assert found["docker:db"] == left


def test_what_is_no_peer_is_told_and_not_asked_again(answers: Answers) -> None:
    answers.of = {"x/y": [UsageError("bad-peer", "no"), (ONE,)], "db": [(ONE,), (TWO,)]}
    problems: list[str] = []
    with Peers(["x/y", "db"], None, lambda word, problem: problems.append(problem.code), FakeClock()) as sets:
        next(sets)
        assert next(sets) == {"x/y": (), "db": (TWO,)}
    assert problems == ["bad-peer"]


def test_closing_ends_an_iteration_that_waits(answers: Answers) -> None:
    answers.of, answers.ttl = {"db": [(ONE,)]}, float("inf")
    clock = FakeClock(0)
    sets = Peers(["db"], clock=clock)
    next(sets)
    clock.at(5, sets.close)
    assert list(sets) == []
    assert clock.time == 5
    sets.close()


def test_no_words_are_an_empty_set_and_a_broken_reference_an_error(answers: Answers) -> None:
    with Peers([]) as sets:
        assert next(sets) == {}
    with pytest.raises(UsageError):
        Peers(["docker:-x"])
