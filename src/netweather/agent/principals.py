"""Who asks the agent: root, members of the group `netweather`, and bearers of tokens. Not here: what they may do (engine.callers).

The file of tokens, with the scopes of each:

    [[token]]
    name = "ci"
    sha256 = "9f86d081…"       # of the token: printf %s "$TOKEN" | sha256sum
    scopes = ["read", "set:netns:ci-*"]
"""

from __future__ import annotations

import hashlib
import hmac
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from netweather.errors import NetweatherError, UsageError
from netweather.host.service_sockets import Credentials, group_number, of_user, user_name, user_number
from netweather.service.callers import ANYTHING, DIRECT, READ, SET, Caller, not_allowed

GROUP: Final = "netweather"


def of_peer(peer: Credentials) -> Caller:
    """Root, or a member of the group. Raises NetweatherError(code="not-allowed") for others."""
    name = user_name(peer.uid)
    origin = f"uid {peer.uid}, pid {peer.pid}"
    if peer.uid == 0:
        return Caller(name, ANYTHING, root=True, origin=origin, uid=0)
    group = group_number(GROUP)
    if group is None or group not in peer.groups:
        raise not_allowed(name, f"it is neither root nor in the group {GROUP!r}")
    return Caller(name, frozenset({READ, SET}), origin=origin, uid=peer.uid)


@dataclass(frozen=True)
class Tokens:
    """The tokens that are known, by the SHA-256 of each."""

    known: tuple[tuple[str, Caller], ...] = ()

    @classmethod
    def load(cls, path: Path) -> Tokens:
        """Reads a file of tokens. Raises UsageError(code="bad-tokens"), which never tells what stands in it."""
        try:
            if path.stat().st_mode & 0o077:
                raise _bad(path, "users other than its owner may read or write it", f"chmod 600 {path}")
            entries = tomllib.loads(path.read_text()).get("token", [])
            known = tuple(_token(path, each) for each in entries)
        except OSError as error:
            raise _bad(path, str(error.strerror), "name a file that can be read") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise _bad(path, "it is not TOML", "see docs/agent.md") from error
        if not known:
            raise _bad(path, "it has no [[token]]", "see docs/agent.md")
        return cls(known)

    def principal(self, token: str) -> Caller:
        """Whose token it is. Raises NetweatherError(code="no-token")."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        found = [principal for known, principal in self.known if hmac.compare_digest(known, digest)]
        if not found:
            raise no_token("the token is not known here")
        return found[0]


def again(asker: dict[str, Any], tokens: Tokens) -> Caller:
    """Who asked an agent before this one, with the rights of now; asker: as `Caller.remembered` told. Raises no-token, not-allowed."""
    if "token" in asker:
        found = [principal for _, principal in tokens.known if principal.name == asker["token"]]
        if not found:
            raise no_token(f"the token {asker['token']!r} is not known any more")
        return found[0]
    user = of_user(int(asker["uid"]))
    if user is None:
        raise not_allowed(f"user {asker['uid']}", "the user does not exist any more")
    return of_peer(user)


def of_owner(owner: str, tokens: Tokens) -> Caller:
    """Who set a condition of this owner, with the rights of now. Root may set in any name, so it was root where nobody has that name."""
    name = owner.partition("@")[0]
    found = [caller for _, caller in tokens.known if caller.name == name]
    if found:
        return found[0]
    uid = user_number(name)
    user = None if uid is None else of_user(uid)
    if user is None:
        return DIRECT
    try:
        return of_peer(user)
    except NetweatherError:
        return Caller(name, frozenset())


def no_token(why: str) -> NetweatherError:
    """For who can't show who it is."""
    return NetweatherError("no-token", "the agent does not know the client", why, "give a token: NETWEATHER_TOKEN")


def _token(path: Path, entry: Any) -> tuple[str, Caller]:
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
    return digest, Caller(name, frozenset(scopes), origin=f"token {name}")


def _is_scope(word: str) -> bool:
    return word in ANYTHING or re.fullmatch(r"set:[a-z]+:[^\s]+", word) is not None


def _bad(path: Path, why: str, remedy: str) -> UsageError:
    return UsageError("bad-tokens", f"{path} is not a valid file of tokens", why, remedy)
