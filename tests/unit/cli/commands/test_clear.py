"""`clear`: one, some, all; and what isn't there."""

from __future__ import annotations

import pytest

from netweather.engine import core
from netweather.kernel.datapath.fake import FakeTarget
from netweather.kernel.datapath.operations import Operation
from tests.unit.cli.conftest import Run, World


@pytest.fixture
def set_up(run: Run, world: World) -> World:
    run("set", "netns:a", "--loss", "1%", "--name", "one", "--owner", "me")
    run("set", "netns:a", "--block", "drop", "--name", "two")
    run("set", "netns:b", "--block", "drop", "--name", "two")
    return world


def test_one_by_name(run: Run, set_up: World) -> None:
    assert run("clear", "netns:a", "--name", "two").out == "cleared 'two' on netns:a\n"
    assert [each["metadata"]["name"] for each in run("show", "netns:a", "--json").json] == ["one"]


def test_all_of_a_target(run: Run, set_up: World) -> None:
    assert run("clear", "netns:a").out == "cleared 'one', 'two' on netns:a\n"
    assert set_up.kernel("a").attached == {}
    assert set_up.kernel("b").attached.keys() == {"eth0"}


def test_all_of_an_owner(run: Run, set_up: World) -> None:
    assert run("clear", "netns:a", "--owner", "me").out == "cleared 'one' on netns:a\n"


def test_everything(run: Run, set_up: World) -> None:
    outcome = run("clear", "--all")
    assert sorted(outcome.out.splitlines()) == ["cleared 'one', 'two' on netns:a", "cleared 'two' on netns:b"]
    assert run("clear", "--all").out == "nothing was in force\n"


def test_a_name_wherever_it_is_in_force(run: Run, set_up: World) -> None:
    outcome = run("clear", "--all", "--name", "two")
    assert sorted(outcome.out.splitlines()) == ["cleared 'two' on netns:a", "cleared 'two' on netns:b"]
    assert [each["metadata"]["name"] for each in run("show", "--json").json] == ["one"]
    assert "[no-such-condition]" in run("clear", "--all", "--name", "two").err


def test_nothing_there_is_no_error_but_a_name_is(run: Run, world: World) -> None:
    outcome = run("clear", "netns:a")
    assert (outcome.code, outcome.out) == (0, "nothing was in force on netns:a\n")
    outcome = run("clear", "netns:a", "--name", "x")
    assert outcome.code == 1
    assert "[no-such-condition]" in outcome.err


def test_a_name_that_one_of_several_has(run: Run, set_up: World) -> None:
    outcome = run("clear", "netns:a", "netns:b", "--name", "one")
    assert outcome.code == 1
    assert "[no-such-condition]" in outcome.err
    assert run("clear", "netns:a", "netns:b", "--name", "two").code == 0


def test_a_target_that_is_gone_is_swept(run: Run, set_up: World) -> None:
    set_up.path("b").unlink()
    assert run("clear", "netns:b").out == "cleared 'two' on netns:b\n"
    assert "[unknown-target]" in run("clear", "netns:b").err


@pytest.fixture
def first_fails(set_up: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = FakeTarget.apply

    def failing(self: FakeTarget, operation: Operation) -> None:
        if self.kernel is set_up.kernel("a"):
            raise OSError(5, "planted")
        whole(self, operation)

    monkeypatch.setattr(FakeTarget, "apply", failing)


@pytest.mark.usefixtures("first_fails")
@pytest.mark.parametrize("words", [("--all",), ("netns:a", "netns:b"), ("netns:nobody", "netns:a", "netns:b")])
def test_a_failure_is_told_and_the_others_are_cleared(run: Run, set_up: World, words: tuple[str, ...]) -> None:
    outcome = run("clear", *words)
    assert outcome.code == 1
    assert outcome.out == "cleared 'two' on netns:b\n"
    assert "error: netns:a: the kernel refused the operation [kernel-refused]\n" in outcome.err
    assert ("[unknown-target]" in outcome.err) == ("netns:nobody" in words)
    assert set_up.kernel("b").attached == {}


@pytest.mark.usefixtures("first_fails")
def test_a_failure_in_json(run: Run, set_up: World) -> None:
    outcome = run("clear", "--all", "--json")
    assert outcome.code == 1
    failed, cleared = sorted(outcome.json, key=lambda each: each["target"])
    assert failed["problem"]["code"] == "kernel-refused"
    assert cleared == {"target": "netns:b", "cleared": ["two"]}


def test_json(run: Run, set_up: World) -> None:
    assert run("clear", "netns:a", "--json").json == [{"target": "netns:a", "cleared": ["one", "two"]}]


@pytest.mark.parametrize(
    ("words", "code"),
    [((), "missing-target"), (("--all", "netns:a"), "conflicting-flags"), (("--all", "--owner", "x"), "conflicting-flags")],
)
def test_wrong_words(run: Run, world: World, words: tuple[str, ...], code: str) -> None:
    outcome = run("clear", *words)
    assert outcome.code == 2
    assert f"[{code}]" in outcome.err


# Packets that lines hold -----------------------------------------------------------------------------------------------


@pytest.fixture
def holding(run: Run, world: World) -> World:
    """One target whose line holds packets: of the fake kernel none comes out by itself."""
    run("set", "netns:a", "--delay", "1h")
    kernel = world.kernel("a")
    kernel.held = dict.fromkeys(kernel.lines, 3)
    return world


def test_what_is_held_is_said_and_does_not_keep_anybody_waiting(run: Run, holding: World) -> None:
    outcome = run("clear", "netns:a")
    assert outcome.out == "cleared 'default' on netns:a\n"
    assert "6 delayed or queued packets" in outcome.err
    assert not holding.kernel("a").in_force
    assert holding.kernel("a").lines
    assert run("show", "netns:a", "--json").json == []


def test_now_drops_what_is_held(run: Run, holding: World) -> None:
    assert run("clear", "netns:a", "--now", "--json").json == [{"target": "netns:a", "cleared": ["default"], "droppedPackets": 6}]
    assert not holding.kernel("a").lines


def test_now_after_a_clear_drops_what_still_drains(run: Run, holding: World) -> None:
    assert run("clear", "netns:a", "--json").json == [{"target": "netns:a", "cleared": ["default"], "drainingPackets": 6}]
    assert run("clear", "netns:a", "--now", "--json").json == [{"target": "netns:a", "cleared": [], "droppedPackets": 6}]
    assert not holding.kernel("a").lines


def test_wait_returns_when_it_has_come_out(run: Run, holding: World, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = holding.kernel("a")
    monkeypatch.setattr(core, "pause", lambda seconds: kernel.held.popitem())
    assert run("clear", "netns:a", "--wait", "--json").json == [{"target": "netns:a", "cleared": ["default"]}]
    assert not kernel.lines


def test_a_target_that_drains_is_set_again_on_other_lines(run: Run, holding: World) -> None:
    kernel = holding.kernel("a")
    before = set(kernel.lines)
    run("clear", "netns:a")
    run("set", "netns:a", "--delay", "10ms")
    assert kernel.in_force
    assert before < set(kernel.lines)
    assert run("show", "netns:a", "--json").json[0]["status"]["inForce"]
    kernel.held.clear()
    run("set", "netns:a", "--delay", "20ms")
    assert not before & set(kernel.lines)


def test_wait_and_now_contradict(run: Run, holding: World) -> None:
    assert "[conflicting-flags]" in run("clear", "netns:a", "--now", "--wait").err
