"""A reference becomes open targets: the runtime opens, then the host's network is refused and shared namespaces are joined."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from netweather.errors import NetweatherError
from netweather.targets import _open_namespaces, ids
from netweather.targets.model import Listing, Runtime, Target, WithIds
from netweather.targets.references import Reference, available, parse, scheme

if TYPE_CHECKING:
    from netweather.targets.runtimes.compose import Own


def resolve(reference: str) -> list[Target]:
    """The targets that a reference names, each namespace once, open; the caller closes them (each is a context manager).

    At least one. Containers that share a namespace are one target, with their names joined. Nothing is cached.
    Raises UsageError (see references.parse) and NetweatherError: unknown-target, ambiguous-target, target-not-running,
    target-changed, target-elsewhere, not-a-namespace, host-namespace, needs-root, docker-unreachable, docker-failed,
    docker-host-unsupported; nothing is left open then.
    """
    return resolve_all([reference])


def resolve_all(references: Iterable[str]) -> list[Target]:
    """The targets that several references name together, in their order, each namespace once. Raises as `resolve`."""
    with ExitStack() as undo:
        found: list[Target] = []
        for reference in [parse(text) for text in references]:
            opened = open_reference(reference)
            for target in opened:
                undo.callback(target.close)
            if reference.scheme != "host":
                refuse_host(opened)
            found += opened
        joined = merge(found)
        undo.pop_all()
    return joined


def open_reference(reference: Reference, *, as_peer: bool = False) -> list[Target]:
    """What the scheme's runtime opens: namespaces may come twice and be the host's. Raises as `resolve`, save host-namespace."""
    return runtime(reference.scheme).open(reference, as_peer=as_peer)


def runtime(name: str) -> Runtime:
    """The runtime of a scheme, imported when it is first used. Raises KeyError when there is none of that name."""
    found: Runtime = importlib.import_module(f"netweather.targets.runtimes.{scheme(name).module}").RUNTIME
    return found


def complete(text: str, own: Own | None = None) -> str:
    """The reference with an id in full where its beginning was written, of 12 hex digits or more; else as it is.

    For command lines only, before anything else looks at the words: once, so that what starts later is compared with the whole id.
    Something of exactly that name comes first. A compose service gets its project. own: the caller's, else this process's.
    Raises UsageError (see references.parse), and NetweatherError ambiguous-target, unknown-target (a service that `own` lacks).
    """
    reference = parse(text)
    if reference.scheme == "compose":
        return _with_project(reference, own)
    if not ids.is_beginning(reference.rest.rpartition("/")[2]) or not scheme(reference.scheme).ids:
        return text
    found: WithIds = importlib.import_module(f"netweather.targets.runtimes.{scheme(reference.scheme).module}").RUNTIME
    try:
        return f"{reference.scheme}:{found.complete(reference.rest)}"
    except NetweatherError as error:
        if error.code == "ambiguous-target":
            raise
        return text  # whatever is done with it next says what is wrong


def _with_project(reference: Reference, own: Own | None) -> str:
    from netweather.targets.runtimes.compose import RUNTIME

    try:
        return f"compose:{RUNTIME.complete(reference.rest, own)}"
    except NetweatherError as error:
        if error.code in ("ambiguous-target", "unknown-target"):
            raise
        return reference.text


def merge(targets: Iterable[Target]) -> list[Target]:
    """Each namespace once: the first target of it stays, with all names joined by commas; the others are closed."""
    kept: dict[str, Target] = {}
    for target in targets:
        first = kept.get(target.identity)
        if first is None:
            kept[target.identity] = target
            continue
        target.close()
        names = ",".join(dict.fromkeys([*first.name.split(","), *target.name.split(",")]))
        addresses = tuple(dict.fromkeys([*first.addresses, *target.addresses]))
        kept[target.identity] = replace(first, name=names, addresses=addresses)
    return list(kept.values())


def list_targets(on_problem: Callable[[NetweatherError], None] | None = None) -> list[Listing]:
    """What there is to name: running and paused containers, then named namespaces. Never raises a NetweatherError.

    on_problem: told of a runtime that is there and could not be asked (a missing one is none: it has nothing to list).
    """
    listings: list[Listing] = []
    for name in sorted({each.module: each.name for each in available()}.values()):
        try:
            listings += runtime(name).listings()
        except NetweatherError as error:
            if on_problem is not None:
                on_problem(error)
    return listings


def refuse_host(targets: Iterable[Target]) -> None:
    """Raises NetweatherError host-namespace when one of them is the host's own network."""
    hosts = _open_namespaces.host_identities()
    for target in targets:
        why, remedy = hosts.get((target.dev, target.ino), ("", ""))
        if why:
            whose = f" ({target.name})" if target.name not in target.reference else ""
            what = f"{target.reference}{whose} has no network of its own"
            raise NetweatherError("host-namespace", what, f"{why}: your own session would also be affected", remedy)
