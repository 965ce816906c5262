"""Who asks, and what they may do: root, members of the group `netweather`, and bearers of tokens with scopes.

A scope is `read`, `set` (on any target), `set:REFERENCE` (on the targets that it names, such as set:docker:label=team=shop), or
`set:PATTERN` with a * (such as set:pod:shop/* or set:netns:ci-*), or `host` (the host's own network, besides). The file of tokens:

    [[token]]
    name = "ci"
    sha256 = "9f86d081…"       # of the token: printf %s "$TOKEN" | sha256sum
    scopes = ["read", "set:netns:ci-*"]
"""

from __future__ import annotations

import fnmatch
import hashlib
import hmac
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from netweather import targets as runtimes
from netweather.errors import NetweatherError, UsageError
from netweather.kernel.credentials import Credentials, group_number, of_user, user_name

GROUP: Final = "netweather"
READ: Final = "read"
SET: Final = "set"
HOST: Final = "host"
_ANYTHING: Final = frozenset({READ, SET, HOST})


@dataclass(frozen=True)
class Principal:
    """name: of the user or token, which is also the owner of what it sets. root: may do all, in anybody's name."""

    name: str
    scopes: frozenset[str]
    root: bool = False
    told: str = ""
    """For the audit log: where it came from."""
    uid: int | None = None
    """Of a user of the socket; None of a token."""

    @property
    def unlimited(self) -> Principal:
        """The same with every right, for what is done in its name and can harm nobody: ending what it set."""
        return replace(self, scopes=_ANYTHING, root=True)

    def need(self, scope: str) -> None:
        """Raises NetweatherError(code="not-allowed") unless it may do that to some target at least."""
        if not any(each == scope or each.startswith(f"{scope}:") for each in self.scopes):
            raise _not_allowed(self.name, f"that needs the scope {scope!r}")

    def need_targets(self, targets: Iterable[runtimes.Target]) -> None:
        """Raises NetweatherError(code="not-allowed") for the first target whose conditions it may not change."""
        for target in targets:
            if target.runtime == "host" and HOST not in self.scopes:
                raise _not_allowed(self.name, "the host's own network needs the scope 'host'")
            if SET not in self.scopes and not any(_covers(scope, target) for scope in self.scopes):
                raise _not_allowed(self.name, f"no scope of it covers {target.reference}")

    def owner(self, asked: str) -> str:
        """The owner of what it sets. Raises NetweatherError(code="not-allowed") for another's name."""
        if self.root or not asked:
            return asked or ("" if self.root else self.name)
        if asked != self.name and not asked.startswith(f"{self.name}@"):
            raise _not_allowed(self.name, f"the owner must be {self.name!r} or begin with {self.name + '@'!r}, not {asked!r}")
        return asked

    def owns(self, owner: str) -> bool:
        """Whether it may end a condition of this owner."""
        return self.root or owner == self.name or owner.startswith(f"{self.name}@")


def _covers(scope: str, target: runtimes.Target) -> bool:
    kind, _, words = scope.partition(":")
    if kind != SET or not words:
        return False
    if "*" in words:
        return fnmatch.fnmatchcase(target.reference, words)
    if words == target.reference:
        return True
    try:
        found = runtimes.resolve(words)
    except NetweatherError:
        return False
    try:
        return any(each.identity == target.identity for each in found)
    finally:
        for each in found:
            each.close()


def of_peer(peer: Credentials) -> Principal:
    """Root, or a member of the group. Raises NetweatherError(code="not-allowed") for others."""
    name = user_name(peer.uid)
    told = f"uid {peer.uid}, pid {peer.pid}"
    if peer.uid == 0:
        return Principal(name, _ANYTHING, root=True, told=told, uid=0)
    group = group_number(GROUP)
    if group is None or group not in peer.groups:
        raise _not_allowed(name, f"it is neither root nor in the group {GROUP!r}")
    return Principal(name, frozenset({READ, SET}), told=told, uid=peer.uid)


@dataclass(frozen=True)
class Tokens:
    """The tokens that are known, by the SHA-256 of each."""

    known: tuple[tuple[str, Principal], ...] = ()

    @classmethod
    def load(cls, path: Path) -> Tokens:
        """Reads a file of tokens. Raises UsageError(code="bad-tokens"), which never tells what stands in it."""
        try:
            if path.stat().st_mode & 0o077:
                raise _bad(path, "others than its owner may read or write it", f"chmod 600 {path}")
            entries = tomllib.loads(path.read_text()).get("token", [])
            known = tuple(_token(path, each) for each in entries)
        except OSError as error:
            raise _bad(path, str(error.strerror), "name a file that can be read") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise _bad(path, "it is not TOML", "see docs/agent.md") from error
        if not known:
            raise _bad(path, "it has no [[token]]", "see docs/agent.md")
        return cls(known)

    def principal(self, token: str) -> Principal:
        """Whose token it is. Raises NetweatherError(code="no-token")."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        found = [principal for known, principal in self.known if hmac.compare_digest(known, digest)]
        if not found:
            raise no_token("the token is not known here")
        return found[0]


def again(asker: dict[str, Any], tokens: Tokens) -> Principal:
    """Who asked an agent before this one, with the rights of now; asker: as `remembered` told. Raises no-token, not-allowed."""
    if "token" in asker:
        found = [principal for _, principal in tokens.known if principal.name == asker["token"]]
        if not found:
            raise no_token(f"the token {asker['token']!r} is not known any more")
        return found[0]
    user = of_user(int(asker["uid"]))
    if user is None:
        raise _not_allowed(f"user {asker['uid']}", "there is no such user any more")
    return of_peer(user)


def remembered(who: Principal) -> dict[str, Any]:
    """Who asks, as plain data without a secret."""
    return {"token": who.name} if who.uid is None else {"uid": who.uid}


def no_token(why: str) -> NetweatherError:
    """For who can't show who it is."""
    return NetweatherError("no-token", "the agent does not know who asks", why, "give a token: NETWEATHER_TOKEN")


def _token(path: Path, entry: Any) -> tuple[str, Principal]:
    """One [[token]] of the file."""
    if not isinstance(entry, dict) or set(entry) != {"name", "sha256", "scopes"}:
        raise _bad(path, "each [[token]] has name, sha256 and scopes", "see docs/agent.md")
    name, digest, scopes = entry["name"], entry["sha256"], entry["scopes"]
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name):
        raise _bad(path, "a name has letters, digits, dots, - and _", "write another")
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise _bad(path, f"the sha256 of {name!r} is not 64 hexadecimal digits", 'printf %s "$TOKEN" | sha256sum')
    if not isinstance(scopes, list) or not all(isinstance(each, str) and _is_scope(each) for each in scopes):
        raise _bad(path, f"the scopes of {name!r} are not a list of read, set, set:REFERENCE and host", "see docs/agent.md")
    return digest, Principal(name, frozenset(scopes), told=f"token {name}")


def _is_scope(word: str) -> bool:
    return word in _ANYTHING or re.fullmatch(r"set:[a-z]+:[^\s]+", word) is not None


def _bad(path: Path, why: str, remedy: str) -> UsageError:
    return UsageError("bad-tokens", f"{path} can't be taken as the file of tokens", why, remedy)


def _not_allowed(name: str, why: str) -> NetweatherError:
    return NetweatherError("not-allowed", f"{name} may not do that", why, "ask who runs the agent for the right to it")
