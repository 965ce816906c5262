"""Who calls the service, and what that caller may do: checked here, for every namespace that a request enters (decision 0050).

A scope is `read`, `set` (on any target), `set:REFERENCE` (on the targets that it names, such as set:docker:label=team=shop), or
`set:PATTERN` with a * (such as set:pod:shop/* or set:netns:ci-*), or `host` (the host's own network, besides).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from netweather import targets as runtimes
from netweather.conditions import NetworkCondition
from netweather.conditions.embedding import paths
from netweather.conditions.peer_kinds import is_reference
from netweather.errors import NetweatherError
from netweather.targets import Target
from netweather.targets.references import names_a_file
from netweather.targets.resolving import open_reference

READ: Final = "read"
SET: Final = "set"
HOST: Final = "host"
ANYTHING: Final = frozenset({READ, SET, HOST})


def _somebody_waits() -> bool:
    return False


@dataclass(frozen=True)
class Caller:
    """Who asks. name: of the user or token, which is also the owner of what it sets.

    root: may do all, in anybody's name. origin: where the request came from, for the audit log. uid: of a user of the socket.
    files: may name files of this machine. gone: whether nobody waits for the answer any more.
    """

    name: str
    scopes: frozenset[str]
    root: bool = False
    origin: str = ""
    uid: int | None = None
    files: bool = False
    gone: Callable[[], bool] = field(default=_somebody_waits, compare=False)

    @property
    def unlimited(self) -> Caller:
        """The same with every right, for what is done in its name and can harm nobody: ending what it set."""
        return replace(self, scopes=ANYTHING, root=True)

    @property
    def later(self) -> Caller:
        """The same, for what is done when the request is over."""
        return replace(self, gone=_somebody_waits)

    @property
    def remembered(self) -> dict[str, Any]:
        """Who asks, as plain data without a secret: who goes on with a scenario is asked for its rights again."""
        return {"token": self.name} if self.uid is None else {"uid": self.uid}

    def need(self, scope: str) -> None:
        """Raises NetweatherError(code="not-allowed") unless it may do that to some target at least."""
        if not any(each == scope or each.startswith(f"{scope}:") for each in self.scopes):
            raise not_allowed(self.name, f"that needs the scope {scope!r}")

    def need_targets(self, targets: Iterable[Target]) -> None:
        """Raises NetweatherError(code="not-allowed") for the first target that it may not change."""
        for target in targets:
            if target.runtime == "host" and HOST not in self.scopes:
                raise not_allowed(self.name, "the host's own network needs the scope 'host'")
            if SET not in self.scopes and not any(_covers(scope, target) for scope in self.scopes):
                raise not_allowed(self.name, f"no scope of it covers {target.reference}")

    def may_change(self, targets: Iterable[Target]) -> bool:
        """Whether it may change all of these targets."""
        try:
            self.need_targets(targets)
        except NetweatherError:
            return False
        return True

    def need_peers(self, conditions: Iterable[NetworkCondition]) -> None:
        """Raises NetweatherError(code="not-allowed") for the first peer of a rule whose namespace it may not look into.

        Raises what resolving a peer raises. Who may read may look into all of them, so nothing is resolved then.
        """
        if READ in self.scopes:
            return
        matches = [match for each in conditions for match in (*(rule.match for rule in each.rules), *each.exclude)]
        self.need_references(word for match in matches for word in match.to if is_reference(word))

    def need_references(self, words: Iterable[str]) -> None:
        """Raises NetweatherError(code="not-allowed") for the first peer whose namespace it may not enter, and what resolving it raises."""
        if self.scopes >= ANYTHING:
            return
        for word in dict.fromkeys(words):
            found = open_reference(runtimes.parse(word), as_peer=True)
            try:
                self.need_targets(found)
            finally:
                for target in found:
                    target.close()

    def need_no_files(self, conditions: Iterable[NetworkCondition] = (), references: Iterable[str] = ()) -> None:
        """Raises NetweatherError(code="path-refused") for words that name a file, unless it may name files of this machine."""
        if not self.files:
            refuse_files(conditions, references)

    def owner(self, asked: str) -> str:
        """The owner of what it sets. Raises NetweatherError(code="not-allowed") for another's name."""
        if self.root or not asked:
            return asked or ("" if self.root else self.name)
        if asked != self.name and not asked.startswith(f"{self.name}@"):
            raise not_allowed(self.name, f"the owner must be {self.name!r} or begin with {self.name + '@'!r}, not {asked!r}")
        return asked

    def owns(self, owner: str) -> bool:
        """Whether it may end a condition of this owner."""
        return self.root or owner == self.name or owner.startswith(f"{self.name}@")


DIRECT: Final = Caller("root", ANYTHING, root=True, files=True)
"""Who runs a command in direct mode."""


def refuse_files(conditions: Iterable[NetworkCondition] = (), references: Iterable[str] = ()) -> None:
    """Raises NetweatherError(code="path-refused") for what names a file: a trace, a table, netns:/PATH."""
    found = [word for word in references if names_a_file(word)] + [path for each in conditions for path in files_of(each)]
    if found:
        why = "the agent opens no files for its clients"
        raise NetweatherError("path-refused", f"{found[0]!r} is a path", why, "as root, use `netweather … --direct`")


def files_of(condition: NetworkCondition) -> list[str]:
    """The files that a condition names, and the references with a path."""
    matches = [rule.match for rule in condition.rules] + list(condition.exclude)
    words = [*condition.targets, *(word for match in matches for word in match.to)]
    return [*filter(names_a_file, words), *paths(condition)]


def not_allowed(name: str, why: str) -> NetweatherError:
    """For who may not do what was asked."""
    return NetweatherError("not-allowed", f"{name} may not do that", why, "ask the agent's administrator for the right")


def _covers(scope: str, target: Target) -> bool:
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
