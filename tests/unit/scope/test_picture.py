from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from netweather.conditions import NetworkCondition
from netweather.errors import NetweatherError
from netweather.kernel.sockets.netns_stats import Faring
from netweather.results import ConditionStatus
from netweather.scope import picture as pictures
from netweather.scope.buttons import ButtonState
from netweather.scope.picture import Painter
from netweather.targets.census import Container
from netweather.units import Duration
from tests.support.rig import until
from tests.support.scopeapp import WINDOW
from tests.unit.scope.conftest import Fake, container

SLOW, OTHER = (NetworkCondition(name, rules=ButtonState(Duration(10**9)).rules()) for name in ("slow", "other"))


def test_conditions_are_those_of_the_containers_namespace(fake: Fake) -> None:
    fake.containers = [container("aa11"), container("aa11cc", name="shares"), container("bb22")]
    fake.in_force = {"docker:aa11": [SLOW]}
    painter = Painter(fake, fake)
    painter.look()
    found = {each.name: [one.shown.condition.name for one in painter.picture.of(each)] for each in painter.picture.containers}
    assert found == {"aa11": ["slow"], "shares": ["slow"], "bb22": []}


def test_how_networks_fare_and_what_they_send_again_each_second(fake: Fake) -> None:
    identity = fake.containers[0].identity or ""
    now = 98.0
    painter = Painter(fake, fake, lambda: now)
    seen = []
    for faring in (Faring(2, 300.0, 7, 0, 0), Faring(3, 900.0, 10, 0, 0), Faring(0, None, 9, 0, 0)):
        fake.fare = {identity: faring}
        now += 2
        painter.look()
        seen.append(painter.picture.fares_of(fake.containers[0]))
    first, second, third = seen
    assert [each.again_per_s for each in (first, second, third)] == [None, 1.5, None]
    assert second.faring.rtt == 900.0
    assert painter.picture.fares_of(container("cd")) is None


def ended(painter: Painter, each: Container) -> list[str]:
    return [one.name for one in painter.picture.ended_of(each)]


def test_what_ended_is_kept_for_longer_than_scopes_app_remembers(fake: Fake) -> None:
    (each,) = fake.containers
    now = 100.0
    painter = Painter(fake, fake, lambda: now)
    fake.in_force = {each.reference: [SLOW, OTHER]}
    painter.look()
    assert (ended(painter, each), painter.picture.of(each)[0].ends_at) == ([], 160.0)
    fake.in_force = {each.reference: [OTHER]}
    painter.look_at(each)  # as after a click
    assert ended(painter, each) == ["slow"]
    now = 110.0
    fake.in_force = {}
    painter.look()
    assert ended(painter, each) == ["slow", "other"]
    now = 121.0
    painter.look()
    assert ended(painter, each) == ["other"]
    fake.in_force = {each.reference: [OTHER]}  # it was set again
    painter.look()
    assert ended(painter, each) == []
    assert WINDOW.total_seconds() < pictures.ENDED_S


def test_what_a_restart_ended_is_kept_too(fake: Fake) -> None:
    """Another network, of the same container."""
    (before,) = fake.containers
    painter = Painter(fake, fake)
    fake.in_force = {before.reference: [SLOW]}
    painter.look()
    fake.containers, fake.in_force = [replace(before, identity="4-77")], {}
    painter.look()
    assert ended(painter, fake.containers[0]) == ["slow"]


def test_what_ended_while_a_container_was_not_listed_is_kept_too(fake: Fake) -> None:
    """While Docker restarts it, it is in no state that counts."""
    (before,) = fake.containers
    now = 100.0
    painter = Painter(fake, fake, lambda: now)
    fake.in_force = {before.reference: [SLOW]}
    painter.look()
    fake.containers = []
    painter.look_at_states()
    painter.look()
    fake.containers, fake.in_force = [replace(before, identity="4-77")], {}
    painter.look()
    assert ended(painter, before) == ["slow"]
    now = 120.0
    painter.look()
    assert painter.picture.ended == {}


def test_states_are_those_of_the_moment(fake: Fake) -> None:
    """A paused container has other controls at once; one that starts has ours when its network is known."""
    one, other, third = fake.containers = [container(), container("cd", state="stopped", identity=None), container("ef")]
    painter = Painter(fake, fake)
    painter.look()
    fake.containers = [replace(one, state="paused"), replace(other, state="running")]
    painter.look_at_states()
    assert painter.picture.containers == (replace(one, state="paused"), replace(other, state="running"))
    fake.containers = [replace(one, state="stopped"), other]
    painter.look_at_states()
    assert painter.picture.containers == (replace(one, state="stopped", identity=None), other)
    fake.problems = [NetweatherError("docker-failed", "Docker failed")]
    fake.containers = [third]
    painter.look_at_states()
    assert [each.id for each in painter.picture.containers] == [one.id, other.id]


def test_what_can_not_be_looked_at_stays_and_is_told(fake: Fake) -> None:
    fake.in_force = {fake.containers[0].reference: [SLOW]}
    painter = Painter(fake, fake)
    painter.look()
    fake.fails = NetweatherError("agent-unreachable", "the agent does not answer")
    fake.problems = [NetweatherError("docker-failed", "Docker failed")]
    painter.look()
    assert painter.picture.problem == "Docker failed; the agent does not answer"
    assert len(painter.picture.of(fake.containers[0])) == 1
    fake.fails, fake.problems = None, []
    painter.look()
    assert painter.picture.problem == ""


def test_a_look_that_began_before_a_button_does_not_undo_it(fake: Fake) -> None:
    """The picture's look is under way while the button's own is over: the newer one counts."""
    each = fake.containers[0]
    painter = Painter(fake, fake)

    class Late(Fake):
        def show(self, references: Sequence[str] = (), *, lived: bool = False) -> list[ConditionStatus]:
            before = super().show(references)
            if not references:  # meanwhile, the button
                self.in_force = {each.reference: [SLOW]}
                painter.look_at(each)
            return before

    late = Late(fake.containers)
    painter.service = painter.census = late
    painter.look()
    assert [one.shown.condition.name for one in painter.picture.of(each)] == ["slow"]
    late.in_force = {}
    painter.service = fake
    painter.look()
    assert painter.picture.of(each) == ()


def test_it_looks_only_while_somebody_asks(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "PAUSE_S", 0.001)
    monkeypatch.setattr(pictures, "IDLE_S", 0.05)
    painter = Painter(fake, fake)
    assert painter.picture.containers == ()
    thread = threading.Thread(target=painter.run)
    thread.start()
    try:
        until(lambda: painter.picture is not None and len(fake.asked) > 3, 20, "it looks")
        seen = -1

        def resting() -> bool:
            nonlocal seen
            before, seen = seen, len(fake.asked)
            threading.Event().wait(0.1)
            return before == seen

        until(resting, 20, "it rests")
        seen = len(fake.asked)
        assert painter.picture
        until(lambda: len(fake.asked) > seen, 20, "it looks again")
    finally:
        painter.close()
        thread.join(10)
    assert not thread.is_alive()


def test_looks_take_no_more_than_their_share(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    painter = Painter(fake, fake)
    times = iter([0.0, 4.0, 10.0, 10.1])
    monkeypatch.setattr(painter, "look", lambda: None)
    monkeypatch.setattr(painter, "_wait", lambda pause: (waited.append(pause), len(waited) > 1 and painter.close()))
    monkeypatch.setattr(pictures.time, "monotonic", lambda: next(times, 99.0))
    painter.run()
    assert waited == [12.0, 1.0]  # a quarter of the time at most
