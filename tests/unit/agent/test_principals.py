"""Who may do what: sockets, tokens, scopes, owners."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from netweather.agent import principals
from netweather.agent.principals import Tokens, again, of_owner, of_peer
from netweather.errors import NetweatherError, UsageError
from netweather.host.service_sockets import Credentials
from netweather.service.callers import Caller
from tests.support.world import World

DIGEST = hashlib.sha256(b"secret").hexdigest()


def tokens(tmp_path: Path, text: str, mode: int = 0o600) -> Tokens:
    path = tmp_path / "tokens.toml"
    path.write_text(text)
    path.chmod(mode)
    return Tokens.load(path)


def test_a_file_of_tokens(tmp_path: Path) -> None:
    found = tokens(tmp_path, f'[[token]]\nname = "ci"\nsha256 = "{DIGEST}"\nscopes = ["read", "set:netns:ci-*"]\n')
    assert found.principal("secret").name == "ci"
    with pytest.raises(NetweatherError) as wrong:
        found.principal("Secret")
    assert wrong.value.code == "no-token"


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", 0o600),
        ("[[token", 0o600),
        (f'[[token]]\nname = "a"\nsha256 = "{DIGEST}"\n', 0o600),
        (f'[[token]]\nname = "a b"\nsha256 = "{DIGEST}"\nscopes = ["read"]\n', 0o600),
        ('[[token]]\nname = "a"\nsha256 = "secret"\nscopes = ["read"]\n', 0o600),
        (f'[[token]]\nname = "a"\nsha256 = "{DIGEST}"\nscopes = ["write"]\n', 0o600),
        (f'[[token]]\nname = "a"\nsha256 = "{DIGEST}"\nscopes = ["read"]\n', 0o640),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, text: str, mode: int) -> None:
    with pytest.raises(UsageError) as wrong:
        tokens(tmp_path, text, mode)
    assert wrong.value.code == "bad-tokens"
    assert "secret" not in str(wrong.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Tokens.load(tmp_path / "none")


def test_the_socket_is_for_root_and_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principals, "group_number", lambda name: 77)
    assert of_peer(Credentials(1, 0, frozenset())).root
    member = of_peer(Credentials(1, 4242, frozenset({100, 77})))
    assert not member.root
    assert "host" not in member.scopes
    with pytest.raises(NetweatherError):
        of_peer(Credentials(1, 4242, frozenset({100})))
    monkeypatch.setattr(principals, "group_number", lambda name: None)
    with pytest.raises(NetweatherError):
        of_peer(Credentials(1, 4242, frozenset({100})))


@pytest.mark.parametrize(
    ("scopes", "target", "allowed"),
    [
        ({"set"}, "netns:a", True),
        ({"set"}, "host", False),
        ({"set", "host"}, "host", True),
        ({"read", "host"}, "host", False),
        ({"set:netns:a"}, "netns:a", True),
        ({"set:netns:a"}, "netns:b", False),
        ({"set:netns:?"}, "netns:a", False),
        ({"set:netns:a*"}, "netns:a", True),
        ({"set:netns:b*"}, "netns:a", False),
        ({"set:netns:b", "set:netns:nowhere"}, "netns:a", False),
        ({"read"}, "netns:a", False),
    ],
)
def test_scopes_cover_targets(world: World, scopes: set[str], target: str, allowed: bool) -> None:
    who = Caller("ci", frozenset(scopes))
    (found,) = world.resolve([target])
    with found:
        if allowed:
            who.need_targets([found])
        else:
            with pytest.raises(NetweatherError):
                who.need_targets([found])


def test_a_scope_is_of_the_namespace_whatever_its_name(world: World) -> None:
    os.link(world.path("a"), world.path("alias"))
    (found,) = world.resolve(["netns:alias"])
    with found:
        Caller("ci", frozenset({"set:netns:a"})).need_targets([found])


def test_owners() -> None:
    root, user = Caller("root", frozenset(), root=True), Caller("ann", frozenset())
    assert (root.owner(""), root.owner("bob"), user.owner(""), user.owner("ann@ci")) == ("", "bob", "ann", "ann@ci")
    assert root.owns("bob")
    assert user.owns("ann@ci")
    assert not user.owns("anna")
    assert not user.owns("")
    with pytest.raises(NetweatherError):
        user.owner("anna")


def test_who_asked_an_agent_before_has_the_rights_of_now() -> None:
    ci = Caller("ci", frozenset({"set:netns:a"}), origin="token ci")
    known = Tokens((("0" * 64, ci),))
    assert again(replace(ci, scopes=frozenset({"set"})).remembered, known) == ci
    assert again(of_peer(Credentials(1, 0, frozenset({0}))).remembered, known).root
    for asker in ({"token": "other"}, {"uid": 65534}, {"uid": 4_000_000_000}):
        with pytest.raises(NetweatherError, match=r"no-token|not-allowed"):
            again(asker, known)


def test_whose_a_condition_is(monkeypatch: pytest.MonkeyPatch) -> None:
    ci = Caller("ci", frozenset({"set:netns:a"}))
    tokens = Tokens((("0" * 64, ci),))
    monkeypatch.setattr(principals, "user_number", {"root": 0, "ann": 1234}.get)
    monkeypatch.setattr(principals, "of_user", lambda uid: Credentials(0, uid, frozenset()))
    assert of_owner("ci", tokens) == of_owner("ci@job-7", tokens) == ci
    assert of_owner("root", tokens).root
    assert of_owner("ann", tokens) == Caller("ann", frozenset()), "who has left the group has no rights any more"
    assert of_owner("", tokens).root
    assert of_owner("a-team", tokens).root, "root sets in any name"
