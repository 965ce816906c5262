"""Watching what nobody tells of: names of namespaces and processes are looked at a few times a second."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netweather.errors import NetweatherError

if TYPE_CHECKING:
    from netweather.targets.model import Runtime, Target
    from netweather.targets.references import Reference


class Polled:
    """A Watch whose keys are identities: a look is an open and a stat, well under a millisecond."""

    every = 0.2

    def __init__(self, runtime: Runtime, reference: Reference) -> None:
        self._runtime, self._reference = runtime, reference

    def present(self) -> set[str]:
        found = self._look()
        for target in found:
            target.close()
        return {target.identity for target in found}

    def open(self, key: str) -> Target | None:
        kept = None
        for target in self._look():
            if target.identity == key and kept is None:
                kept = target
            else:
                target.close()
        return kept

    def changes(self) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        """Nothing waits."""

    def _look(self) -> list[Target]:
        try:
            return self._runtime.open(self._reference)
        except NetweatherError as error:
            if error.code in ("unknown-target", "not-a-namespace"):
                return []
            raise
