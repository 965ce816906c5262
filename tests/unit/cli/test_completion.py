"""Completion: what is proposed, in the shells' own protocols, and never an error."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import netweather.targets.resolving
from netweather.cli import completion
from netweather.errors import NetweatherError
from netweather.targets import SCHEMES, Listing
from tests.unit.cli.conftest import Run

PROGRAM = "import sys; from netweather.cli import main; sys.exit(main())"


def complete(shell: str, **environment: str) -> list[str]:
    """What the program prints when a shell asks."""
    variables = {**os.environ, "_NETWEATHER_COMPLETE": f"{shell}_complete", "NETWEATHER_STATE": "/nonexistent", **environment}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=variables, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.split("\n")


def bash(words: str, current: int) -> list[str]:
    found = complete("bash", COMP_WORDS=words, COMP_CWORD=str(current))
    return [line.removeprefix("plain,") for line in found if line]


@pytest.mark.parametrize(
    ("words", "current", "expected"),
    [
        ("netweather se", 1, ["set"]),
        ("netweather set x --block ", 4, ["drop", "reject"]),
        ("netweather set x --direction = e", 5, ["egress"]),
        ("netweather set x --direction =", 4, ["egress", "ingress", "both"]),
        ("netweather set x --keep", 3, ["--keep-order"]),
        ("netweather profiles sat", 2, ["satellite"]),
        ("netweather clear x --name ", 4, []),
    ],
)
def test_bash(words: str, current: int, expected: list[str]) -> None:
    assert bash(words, current) == expected


def test_zsh_and_fish() -> None:
    assert complete("zsh", COMP_WORDS="netweather se", COMP_CWORD="1")[:3] == ["plain", "set", "degrade the network of a target"]
    lines = complete("fish", COMP_WORDS="netweather se", COMP_CWORD="se")
    assert lines[0] == "plain,set\tdegrade the network of a target"


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_each_shell_has_its_script(run: Run, shell: str) -> None:
    outcome = run("--completion", shell)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"_NETWEATHER_COMPLETE={shell}_complete" in outcome.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["netweather", "set", "net"], (["netweather", "set", "net"], "")),
        (["netweather", "set", "netns", ":"], (["netweather", "set", "netns:"], "netns:")),
        (["netweather", "set", "netns", ":", "d"], (["netweather", "set", "netns:d"], "netns:")),
        (["set", "netns", ":", "a", "docker", ":", "label", "=", "x"], (["set", "netns:a", "docker:label", "x"], "")),
        (["set", "netns", ":", "a", ""], (["set", "netns:a", ""], "")),
        (["set", "--to", "="], (["set", "--to", ""], "")),
    ],
)
def test_what_bash_split_is_joined(words: list[str], expected: tuple[list[str], str]) -> None:
    assert completion.joined(words) == expected


class Runtime:
    def __init__(self, *listings: Listing) -> None:
        self._listings = listings

    def listings(self) -> list[Listing]:
        if not self._listings:
            raise NetweatherError("docker-failed", "no")
        return list(self._listings)


def test_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    web = Listing("docker:web", "docker", "web", "running", compose="shop/web")
    runtimes = {"docker": Runtime(web), "netns": Runtime(Listing("netns:db", "netns", "db", "present"))}
    monkeypatch.setattr(netweather.targets.resolving, "runtime", lambda name: runtimes.get(name, Runtime()))
    proposed = [value for value, _ in completion.targets("")]
    assert [value.removesuffix(":") for value in proposed] == [each.name for each in SCHEMES]
    assert {"netns:", "host"} <= {*proposed}
    assert {"docker:web", "compose:shop/web", "netns:db", "host"} <= {value for value, _ in completion.targets("d")}
    assert [value for value, _ in completion.targets("netns:")] == ["netns:db"]
    assert "compose:shop/web" in [value for value, _ in completion.targets("compose:s")]


def test_what_is_not_known_is_left_to_the_user() -> None:
    assert completion.names("") == [] or os.geteuid() == 0
    from netweather.conditions.language.flags import FLAGS

    assert completion.of_flag(next(flag for flag in FLAGS if flag.name == "delay")) is None
