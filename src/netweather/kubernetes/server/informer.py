"""All objects of a kind, kept as they are on the server: listed, then watched, and listed anew whenever the watch can't go on.

What was deleted while nobody watched is gone after the next list, which is what a level-triggered reader needs (decision 0030).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from netweather.errors import NetweatherError
from netweather.kubernetes.server.api import Api, Kind, Stale

LOG: Final = logging.getLogger("netweather.kubernetes")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
ObjectKey = tuple[str, str]
T = TypeVar("T")


class Informer(Generic[T]):
    """The objects of a kind, parsed, by (namespace, name). parse: None leaves an object out. name: that one only.

    changed: told whenever what is parsed is not what it was before; not of what only the server finds different.
    """

    def __init__(
        self, kind: Kind, parse: Callable[[dict[str, Any]], T | None], changed: Callable[[], None], name: str = ""
    ) -> None:
        self.kind, self.parse, self.changed, self.name = kind, parse, changed, name
        self.objects: dict[ObjectKey, T] = {}
        self._versions: dict[ObjectKey, int] = {}
        self.listed = asyncio.Event()
        """Whether there was a first list: before, nothing is known."""

    async def run(self, api: Api) -> None:
        """For ever: a server that is away is asked again."""
        pause = FIRST_PAUSE_S
        told = ""
        while True:
            try:
                since = await self._list(api)
                pause, told = FIRST_PAUSE_S, ""
                while True:
                    since = await self._watch(api, since)
            except Stale:
                continue
            except NetweatherError as error:
                if error.code != told:
                    LOG.warning("%s", error)
                told = error.code
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)

    def put(self, found: dict[str, Any]) -> None:
        """As the server answered to a write of ours: its event comes later, or came before, and others' after it."""
        parsed = self.parse(found)
        if parsed is not None and self._is_news(found):
            self.objects[_key(found)] = parsed

    def drop(self, key: ObjectKey) -> None:
        """Of a deletion of ours."""
        self.objects.pop(key, None)

    async def _list(self, api: Api) -> str:
        found, since = await api.list(self.kind, self.name)
        parsed = {_key(each): self.parse(each) for each in found}
        now = {key: value for key, value in parsed.items() if value is not None}
        self._versions = {_key(each): _version(each) for each in found}
        first = not self.listed.is_set()
        if now != self.objects or first:
            self.objects = now
            self.listed.set()
            self.changed()
        return since

    async def _watch(self, api: Api, since: str) -> str:
        async for word, found in api.watch(self.kind, since, self.name):
            since = found["metadata"]["resourceVersion"]
            if word != "BOOKMARK":
                self._take(word, found)
        return since

    def _take(self, word: str, found: dict[str, Any]) -> None:
        key = _key(found)
        if not self._is_news(found):
            return
        before = self.objects.get(key)
        if word == "DELETED":
            self._versions.pop(key, None)
        parsed = None if word == "DELETED" else self.parse(found)
        if parsed is None:
            self.objects.pop(key, None)
        else:
            self.objects[key] = parsed
        if parsed != before:
            self.changed()

    def _is_news(self, found: dict[str, Any]) -> bool:
        """Whether it is not older than what is known. Remembers it."""
        key, version = _key(found), _version(found)
        if version < self._versions.get(key, 0):
            return False
        self._versions[key] = version
        return True


def _version(found: dict[str, Any]) -> int:
    """Versions of one kind are counted up, by every API server that there is."""
    text = found["metadata"].get("resourceVersion", "")
    return int(text) if text.isdecimal() else 0


def _key(found: dict[str, Any]) -> ObjectKey:
    metadata = found["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
