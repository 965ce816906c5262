"""A NetworkTest from a file: given to a cluster, watched while its operator runs it, its results read, and taken away again.

Whoever is stopped takes it away, too; with it go its Jobs, and its conditions end.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from netweather.conditions.language.documents import opened, parse
from netweather.errors import NetweatherError, UsageError
from netweather.kubernetes.objects.networktest import KIND, NetworkTest, read_test, report_name
from netweather.kubernetes.reconcile.progress import is_complete
from netweather.kubernetes.server.api import CONFIGS, TESTS, Api, said
from netweather.reports.job_results import matrix_of, results_of
from netweather.reports.matrix import Matrix

T = TypeVar("T")
LOOKS_S: Final = 0.5
ANSWERS_S: Final = 45.0
"""So long an operator has to say anything: another one that leads may just have gone."""
AWAY_S: Final = 60.0
"""So long the API server may be away."""
STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
StatusReporter = Callable[[Mapping[str, Any]], None]
"""Is told a cell of the status whenever it has another state."""


class Interrupted(Exception):
    """A signal ended it, and the test was deleted."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


def load_test(path: Path) -> dict[str, Any]:
    """The NetworkTest of a file. Raises UsageError: what its operator would refuse is refused here."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("unreadable-file", f"{path} can't be read", str(error), "name a file with a NetworkTest") from error
    try:
        documents = parse(text, floats=float)
    except UsageError as error:
        raise UsageError(error.code, f"{path}: {error.what}", error.why, error.remedy) from error
    kinds = [each.get("kind") if isinstance(each, Mapping) else None for each in documents]
    if kinds != [KIND]:
        why = f"it has {', '.join(map(str, kinds)) or 'nothing'}"
        raise UsageError("bad-network-test", f"{path} is not one NetworkTest", why, "put other objects into files of their own")
    document: dict[str, Any] = documents[0]
    metadata = opened(document, KIND).metadata
    name = metadata.get("name") or f"{metadata.get('generateName', '')}x"
    read_test({**document, "metadata": {**metadata, "namespace": "", "name": name, "uid": ""}})
    return {**document, "metadata": dict(metadata)}


def run(document: dict[str, Any], tell: StatusReporter, *, keep: bool = False) -> tuple[NetworkTest, Matrix]:
    """Runs it. keep: it stays in the cluster. Raises Interrupted, NetweatherError: test-exists, no-operator, test-refused, and as Api."""
    return asyncio.run(_run(document, tell, keep=keep))


class _Stop:
    """Cancels the task at a signal, once; not while it can't be told yet what would have to be taken away."""

    def __init__(self) -> None:
        self.number = 0
        self._task: asyncio.Task[Any] | None = None
        for number in STOPS:
            asyncio.get_running_loop().add_signal_handler(number, self._hear, number)

    def arm(self) -> None:
        """From now on. Raises CancelledError when it was heard before."""
        self._task = asyncio.current_task()
        if self.number:
            raise asyncio.CancelledError

    def _hear(self, number: int) -> None:
        if not self.number and self._task is not None:
            self._task.cancel()
        self.number = self.number or number


async def _run(document: dict[str, Any], tell: StatusReporter, *, keep: bool) -> tuple[NetworkTest, Matrix]:
    stop = _Stop()
    api = await Api.connect()
    try:
        return await _made_and_followed(api, document, tell, stop, keep=keep)
    except asyncio.CancelledError as error:
        if stop.number:
            raise Interrupted(stop.number) from error
        raise
    finally:
        await api.close()


async def _made_and_followed(
    api: Api, document: dict[str, Any], tell: StatusReporter, stop: _Stop, *, keep: bool
) -> tuple[NetworkTest, Matrix]:
    namespace = document["metadata"].get("namespace") or api.namespace
    made = await _created(api, document, namespace)
    name = made["metadata"]["name"]
    whole = False
    try:
        stop.arm()
        found = await _followed(api, made, tell)
        data = await _patiently(lambda: api.read(CONFIGS, report_name(name), namespace))
        whole = True
        test = read_test(found)
        return test, matrix_of(test, results_of((data or {}).get("data") or {}))
    finally:
        if not (keep and whole):
            await _patiently(lambda: api.delete(TESTS, name, namespace))


async def _created(api: Api, document: dict[str, Any], namespace: str) -> dict[str, Any]:
    try:
        return await api.create(TESTS, document, namespace)
    except NetweatherError as error:
        name = document["metadata"].get("name", "")
        if said(error) == 409:
            remedy = f"kubectl -n {namespace} delete networktest {name}, or write generateName in place of name"
            raise NetweatherError(
                "test-exists", f"{namespace} has a NetworkTest {name} already", "a NetworkTest runs once", remedy
            ) from error
        if said(error) == 404:
            raise _no_operator("the cluster has no kind NetworkTest, or the namespace does not exist") from error
        raise


async def _followed(api: Api, made: dict[str, Any], tell: StatusReporter) -> dict[str, Any]:
    """The object when it is complete."""
    metadata = made["metadata"]
    begun = time.monotonic()
    states: dict[str, str] = {}
    while True:
        found = await _patiently(lambda: api.read(TESTS, metadata["name"], metadata["namespace"]))
        if found is None or found["metadata"]["uid"] != metadata["uid"]:
            why = "it was deleted while it ran"
            raise NetweatherError("test-refused", f"the NetworkTest {metadata['name']} was deleted", why, "run it again")
        status = found.get("status") or {}
        for cell in status.get("cells") or ():
            if states.get(cell["network"]) != cell["state"]:
                tell(cell)
            states[cell["network"]] = cell["state"]
        if is_complete(status):
            _check_refused(status)
            return found
        if not status and time.monotonic() - begun > ANSWERS_S:
            raise _no_operator(f"it got no status for {ANSWERS_S:.0f} s")
        await asyncio.sleep(LOOKS_S)


def _check_refused(status: Mapping[str, Any]) -> None:
    told = next(each for each in status["conditions"] if each["type"] == "Complete")
    if told["reason"] == "Refused":
        raise NetweatherError("test-refused", "the operator refused the NetworkTest", told["message"], "see its message")


def _no_operator(why: str) -> NetweatherError:
    return NetweatherError("no-operator", "no operator runs NetworkTests in the cluster", why, "install it: docs/kubernetes.md")


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer, though the server is away for a while. Raises NetweatherError."""
    begun = time.monotonic()
    while True:
        try:
            return await ask()
        except NetweatherError as error:
            if said(error) or time.monotonic() - begun > AWAY_S:
                raise
            await asyncio.sleep(LOOKS_S)
