"""A `set` that is killed at any of its steps: the next command is a `set`, which succeeds, and nothing is left after a `clear`."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.kernel.conftest import MakeRig
from tests.support import dumps
from tests.support.rig import Rig, until
from tests.support.stepping import Stepping

DELAY = ("--delay", "10ms")
FORMS = {
    "a first set": ((), DELAY, "auto"),
    "a first set on clsact": ((), DELAY, "clsact"),
    "a block": ((), ("--block", "drop", "--port", "9"), "auto"),
    "a change": (DELAY, ("--delay", "20ms"), "auto"),
    "more lines": (DELAY, ("--delay", "20ms", "--name", "other"), "auto"),
    "fewer lines": (DELAY, ("--delay", "20ms", "--direction", "egress"), "auto"),
}
EVERY = [pytest.param(form, marks=[pytest.mark.full] * (form != "a first set")) for form in FORMS]


class Scene:
    """A rig, the process that runs commands on it, and one form of `set`."""

    def __init__(self, rig: Rig, stepping: Stepping, form: str) -> None:
        self.rig, self.stepping = rig, stepping
        first, then, _ = FORMS[form]
        self.first, self.then = self.words(*first) if first else None, self.words(*then)

    def words(self, *what: str) -> tuple[str, ...]:
        return ("set", f"netns:{self.rig.net.client.name}", *what, "--direct")

    def begin(self) -> None:
        """What is in force before the `set` that is killed."""
        if self.first is not None:
            self.succeeds(self.first)

    def succeeds(self, words: tuple[str, ...]) -> int:
        """Runs a command to its end. Returns the number of its steps."""
        outcome = self.stepping.run(*words)
        assert outcome.exit == 0, outcome.output
        return outcome.steps

    def left(self) -> list[str]:
        return [each for each in self.rig.remains() if "tests.support.stepping" not in each]


@pytest.fixture
def scene(request: pytest.FixtureRequest, make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    form = request.param
    monkeypatch.setenv("NETWEATHER_HOOK", FORMS[form][2])
    with make_rig(hook=FORMS[form][2]) as rig, Stepping(rig.state) as stepping:
        before = {namespace: dumps.settled(namespace) for namespace in rig.net.namespaces}
        made = Scene(rig, stepping, form)
        yield made
        rig.clear()
        until(lambda: not made.left(), 20, "nothing of ours is left")
        for namespace, dump in before.items():
            dumps.assert_same(dump, namespace)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scene", EVERY, indirect=True)
def test_after_sigkill_the_next_set_succeeds(scene: Scene) -> None:
    scene.begin()
    steps = scene.succeeds(scene.then)
    scene.rig.clear()
    for step in range(steps):
        scene.begin()
        killed = scene.stepping.run(*scene.then, after=step)
        assert killed.exit in (0, -signal.SIGKILL), killed
        scene.succeeds(scene.then)
        shown = scene.rig.engine.show(scene.rig.target)
        assert all(each.in_force for each in shown), (killed.last, shown)
        scene.rig.clear()
    assert steps > 20


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scene", EVERY, indirect=True)
def test_sigterm_undoes_it(scene: Scene) -> None:
    """What was in force before is in force again; the step after which it ends is the next `set`."""
    scene.begin()
    before = [each.condition for each in scene.rig.engine.show(scene.rig.target)]
    steps, finished = 0, False
    while not finished:
        outcome = scene.stepping.run(*scene.then, after=steps, by=signal.SIGTERM)
        finished = outcome.exit == 0
        if not finished:
            assert outcome.exit == 128 + signal.SIGTERM, outcome
            after = scene.rig.engine.show(scene.rig.target) if scene.rig.folder.exists() else []
            assert [each.condition for each in after] == before, outcome.last
            assert all(each.in_force for each in after), outcome.last
        steps += 1
    assert steps > 20
    assert all(each.in_force for each in scene.rig.engine.show(scene.rig.target))


@pytest.mark.parametrize("scene", ["a first set"], indirect=True)
@pytest.mark.parametrize("what", ["mount", "netlink 19", "PROG_ATTACH"])
def test_the_next_show_completes_it(scene: Scene, what: str) -> None:
    assert scene.stepping.run(*scene.then, after=what).last.startswith(what)
    (shown,) = scene.rig.engine.show(scene.rig.target)
    assert shown.in_force, shown.problems
    assert scene.rig.process("keeper")
    seen = scene.rig.net.client.run("ping", "-n", "-c1", "-W2", str(scene.rig.net.server.v4)).stdout
    assert float(seen.split("time=")[1].split()[0]) >= 20
