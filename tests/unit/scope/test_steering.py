from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from netweather.conditions import NetworkCondition
from netweather.errors import NetweatherError
from netweather.scope.buttons import NAME, ButtonState
from netweather.scope.steering import Steering, one_line
from netweather.units import Duration
from tests.unit.scope.conftest import MINUTE, NUMBER, Fake, container

SLOW, CLEAR, ALL = "traffic-control-table-slow", "traffic-control-table-clear", "traffic-control-end-all"


def press(steering: Steering, control: str, id: str = NUMBER) -> None:  # noqa: A002 - Docker's word
    steering.press(steering.asked(steering.container(f"{id};<container>"), steering.control(control)))


def test_what_a_button_sets_has_a_lease_an_owner_and_a_reason(steering: Steering, fake: Fake) -> None:
    steering.owner = "alice"
    press(steering, SLOW)
    (condition,) = fake.in_force[f"docker:{NUMBER}"]
    assert (condition.name, condition.targets, condition.lease) == (NAME, (f"docker:{NUMBER}",), MINUTE)
    assert (condition.owner, condition.reason) == ("alice", "Weave Scope: Traffic speed: slow")
    assert [each.shown.condition.name for each in steering.painter.picture.of(fake.containers[0])] == [NAME]


def test_what_is_there_is_asked_and_never_remembered(steering: Steering, fake: Fake) -> None:
    press(steering, SLOW)
    fake.in_force = {}  # somebody else has cleared it
    press(steering, "traffic-control-table-pkt-drop-low")
    (condition,) = fake.in_force[f"docker:{NUMBER}"]
    assert condition.rules[0].condition.delay is None


def test_clear_ends_ours_and_end_all_everybodys(steering: Steering, fake: Fake) -> None:
    other = NetworkCondition("by-hand", rules=ButtonState(Duration(1)).rules())
    fake.in_force = {f"docker:{NUMBER}": [other]}
    press(steering, CLEAR)
    assert [each[0] for each in fake.asked] == ["show", "show"]  # there was nothing of ours to end
    press(steering, SLOW)
    press(steering, CLEAR)
    assert fake.in_force[f"docker:{NUMBER}"] == [other]
    press(steering, ALL)
    assert fake.in_force[f"docker:{NUMBER}"] == []


def test_a_lease_that_ended_just_now_is_no_error(steering: Steering, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    from netweather.results import Cleared

    press(steering, SLOW)
    for code, wrong in (("no-such-condition", False), ("kernel-refused", True)):
        monkeypatch.setattr(fake, "clear", lambda *_, code=code: [Cleared("it", (), NetweatherError(code, "no"))])
        fake.in_force = {f"docker:{NUMBER}": [NetworkCondition(NAME, rules=ButtonState(Duration(1)).rules())]}
        if wrong:
            with pytest.raises(NetweatherError):
                press(steering, CLEAR)
        else:
            press(steering, CLEAR)


def test_a_failure_is_raised_and_kept_until_the_next_button(steering: Steering, fake: Fake) -> None:
    fake.fails = NetweatherError("no-interfaces", "it has none", "a\nb", "connect it")
    with pytest.raises(NetweatherError):
        press(steering, SLOW)
    assert steering.notes == {NUMBER: "Traffic speed: slow: it has none; a; b; remedy: connect it [no-interfaces]"}
    fake.fails = None
    press(steering, SLOW)
    assert steering.notes == {}


def test_what_the_engine_notes_is_kept_too(steering: Steering, fake: Fake) -> None:
    fake.notes = ("'by-hand' comes before", "'by-hand' comes before", "more")
    press(steering, SLOW)
    assert steering.notes == {NUMBER: "'by-hand' comes before; more"}


@pytest.mark.parametrize(
    ("node", "code"),
    [
        ("x", "bad-node"),
        (f"{NUMBER};<pod>", "bad-node"),
        ("", "bad-node"),
        ("cd;<container>", "unknown-container"),
        (";<container>", "unknown-container"),
    ],
)
def test_nodes_that_are_none(steering: Steering, node: str, code: str) -> None:
    with pytest.raises(NetweatherError) as wrong:
        steering.container(node)
    assert wrong.value.code == code


def test_controls_that_are_none(steering: Steering) -> None:
    for id in ("", "docker_stop_container", "traffic-control~traffic-control-table-slow"):  # noqa: A001 - Scope's word
        with pytest.raises(NetweatherError) as wrong:
            steering.control(id)
        assert wrong.value.code == "unknown-control"


def test_one_button_after_the_other_on_one_network(steering: Steering, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that read, change and write at once would lose one of the two."""
    fake.containers = [container(), replace(container("cd"), identity=container().identity), container("ef01")]
    steering.painter.look()
    inside, most = 0, 0
    guard = threading.Lock()
    plain, both = fake.set, threading.Barrier(2)

    def set_slowly(conditions: list[NetworkCondition]) -> object:
        nonlocal inside, most
        with guard:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.02)
        with guard:
            inside -= 1
        return plain(conditions)

    monkeypatch.setattr(fake, "set", set_slowly)
    threads = [threading.Thread(target=press, args=(steering, SLOW, each)) for each in (NUMBER, "cd", NUMBER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == 1
    monkeypatch.setattr(fake, "set", lambda conditions: (both.wait(10), plain(conditions))[1])  # another network waits for nobody
    threads = [threading.Thread(target=press, args=(steering, SLOW, each)) for each in (NUMBER, "ef01")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not both.broken


def test_errors_of_the_system_are_told_as_they_are() -> None:
    assert one_line(OSError(5, "broken")) == "[Errno 5] broken"
