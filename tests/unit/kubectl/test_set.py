"""`kubectl netweather set`: what is written, what is waited for, and what is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.fakeapi import FakeApi
from tests.unit.kubectl.conftest import IN_FORCE, PENDING, REFUSED, Run, answer, state

DELAY = ("--to", "service/db", "--delay", "100ms")


@pytest.fixture
def operator(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`operator(PENDING, IN_FORCE)`: what it says of a condition, a look after the other."""

    def says(*turns: Any) -> None:
        left = list(turns)
        reading = api.read

        async def read(kind: Any, name: str, namespace: str = "") -> Any:
            if left and (kind.plural, namespace, name) in api.objects:
                answer(api, name, left.pop(0), endsAt="2026-01-01T00:10:00Z")
            return await reading(kind, name, namespace)

        monkeypatch.setattr(api, "read", read)

    return says


def test_it_is_written_and_waited_for(run: Run, api: FakeApi, operator: Callable[..., None]) -> None:
    operator(PENDING, IN_FORCE)
    done = run("set", "deployment/shop", *DELAY)
    assert (done.code, done.err) == (0, "waiting: in force on 1 of 2 pods\n")
    assert done.out == (
        "deployment-shop: deployment/shop, in force on 2/2 pods\n"
        "  delay 100ms: traffic to and from service/db, both ways\n  until 2026-01-01T00:10:00Z\n"
    )
    assert api.objects["networkconditions", "shop", "deployment-shop"]["spec"]["targets"] == [{"workload": "deployment/shop"}]


def test_the_same_name_again_replaces_it(run: Run, api: FakeApi) -> None:
    run("set", "a", *DELAY, "--no-wait")
    run("set", "a", "--loss", "1%", "--no-wait")
    (found,) = api.objects.values()
    assert found["spec"]["rules"][0]["condition"].keys() == {"loss"}


def test_it_is_measured_when_asked(run: Run, api: FakeApi, operator: Callable[..., None]) -> None:
    verified = {
        word: state("Verified", status, word, f"{word} on a") for word, status in (("Pending", "Unknown"), ("NotHeld", "False"))
    }
    operator((*IN_FORCE, verified["Pending"]), (*IN_FORCE, verified["NotHeld"]))
    done = run("set", "a", *DELAY, "--verify")
    assert (done.code, done.err) == (1, "waiting: Pending on a\n")
    assert "  FAIL: NotHeld: NotHeld on a\n" in done.out
    assert api.objects["networkconditions", "shop", "a"]["spec"]["verify"] is True


def test_one_that_is_refused_says_why(run: Run, operator: Callable[..., None]) -> None:
    operator(REFUSED)
    done = run("set", "-l", "app=shop", *DELAY)
    assert (done.code, "TooManyPods" in done.err, "9 pods are selected" in done.err) == (1, True, True)


def test_one_that_nobody_answers(run: Run, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    from netweather.cli.kubectl import cluster_access

    monkeypatch.setattr(cluster_access.settled, "__defaults__", (0.01,))
    done = run("set", "a", *DELAY)
    assert (done.code, "[pods-not-in-force]" in done.err, "kubectl netweather doctor" in done.err) == (1, True, True)


def test_one_that_somebody_deletes_meanwhile(run: Run, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(*_: Any) -> None:
        return None

    monkeypatch.setattr(api, "read", none)
    assert "[no-such-condition]" in run("set", "a", *DELAY).err


@pytest.mark.parametrize(
    ("words", "code"),
    [(("set", *DELAY), "missing-target"), (("set", "a"), "no-condition"), (("set", "a", "--dealy", "1ms"), "unknown-option")],
)
def test_words_that_are_wrong(run: Run, api: FakeApi, words: tuple[str, ...], code: str) -> None:
    done = run(*words)
    assert (done.code, f"[{code}]" in done.err, api.writes) == (2, True, 0)


def test_a_dry_run_prints_the_object_and_asks_nobody(run: Run, api: FakeApi) -> None:
    done = run("set", "a", *DELAY, "--dry-run")
    assert done.out.startswith("apiVersion: netweather.dev/v1alpha1\n")
    assert run("set", "a", *DELAY, "--dry-run", "--json").json["metadata"] == {"name": "a"}
    assert api.writes == 0


def test_where_it_is_asked(run: Run, api: FakeApi) -> None:
    run("set", "a", *DELAY, "--no-wait", "--namespace", "n", "--context", "c", "--kubeconfig", "k")
    assert api.asked == ("k", "c", "n")
