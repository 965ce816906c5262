"""Words of a command line get whole ids: of targets, peers and exclusions; what files say is taken as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netweather import targets
from netweather.cli.full_ids import Completed
from netweather.conditions import load
from netweather.engine import SocketFilter
from netweather.engine.verification import VerifyOptions
from tests.unit.cli.conftest import Run, World

SHORT, WHOLE = "docker:" + "ab" * 6, "docker:" + "ab" * 32
WHOLES = {SHORT: WHOLE, "compose:web": "compose:shop/web"}


class Remembering:
    """A service that only remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def complete(self, reference: str) -> str:
        assert reference in WHOLES, "nobody is asked about other words"
        return WHOLES[reference]

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *words, **named: self.asked.append((name, *words))


def test_every_verb_hands_on_whole_ids() -> None:
    service = Remembering()
    completed = Completed(service)  # type: ignore[arg-type]  # it has what is called
    match = {"to": [SHORT, "198.51.100.7"]}
    condition = load({"targets": [SHORT, "netns:a"], "rules": [{**match, "condition": {"delay": "1s"}}], "exclude": [match]})
    chosen = SocketFilter(condition.rules[0].match, condition.exclude)
    completed.set([condition])
    completed.show([SHORT])
    completed.clear([SHORT, "docker:db"], "slow")
    completed.verify(SHORT, VerifyOptions(None, SHORT, SHORT))
    completed.connections(SHORT, chosen)
    completed.reset(SHORT, chosen)
    completed.stats(SHORT, None)  # type: ignore[arg-type]  # it isn't looked at
    assert SHORT not in repr(service.asked).replace(WHOLE, "")
    whole = replace(condition.rules[0].match, to=(WHOLE, "198.51.100.7"))
    ((_, (set_to,)), *_, (_, _, reset), _) = service.asked
    assert (set_to.targets, set_to.rules[0].match, set_to.exclude) == ((WHOLE, "netns:a"), whole, (whole,))
    assert (reset.match, reset.exclude) == (whole, (whole,))


def test_a_service_gets_its_project_once() -> None:
    """What is begun in one folder ends in another, and an agent knows of no folder."""
    service = Remembering()
    completed = Completed(service)  # type: ignore[arg-type]  # it has what is called
    completed.clear(["compose:web", "compose:blog/web"])
    assert service.asked == [("clear", ["compose:shop/web", "compose:blog/web"], None, None)]


@pytest.fixture
def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was completed: each word to netns:a."""
    found: list[str] = []
    monkeypatch.setattr(targets, "complete", lambda word, own: "netns:a" if found.append(word) is None else "")
    return found


def test_what_is_typed_is_completed_and_what_a_file_says_is_not(run: Run, tmp_path: Path, asked: list[str]) -> None:
    assert run("set", SHORT, "--loss", "1%").code == 0
    assert asked == [SHORT]
    file = tmp_path / "slow.yaml"
    file.write_text(f"targets: [{SHORT}]\nrules: [{{condition: {{delay: 1s}}}}]\n")
    assert run("set", "-f", str(file)).code == 1
    assert asked == [SHORT]
    assert run("set", "-f", str(file), SHORT).code == 0
    assert [each["spec"]["targets"] for each in run("show", SHORT, "--json").json] == [["netns:a"]]
    assert run("clear", SHORT).out == "cleared 'default' on netns:a\n"
