"""Plain data of targets: what a reference becomes. No lookups here; `Target.close` is the only effect.

A target's identity is (st_dev, st_ino) of its open namespace descriptor, never a pid: pids are reused, and several
containers can share one namespace.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from types import TracebackType

    from netweather.targets.references import Reference

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Target:
    """One network namespace, held open. Whoever got it closes it: a context manager, or `close`, which may be repeated.

    reference: the user's own words; one reference can name several targets, which `name` tells apart.
    name:      for people: the containers' names ("shop-api,shop-sidecar" when they share the namespace), "db" of netns:db,
               "nginx[4711]" of a process.
    netns_fd:  an open descriptor of the namespace; valid until close.
    dev, ino:  st_dev and st_ino of that descriptor: the identity.
    pid:       a process that lived in the namespace when it was opened (the container's first), in the caller's pid namespace.
    path:      a file that stands for the namespace: of netns:…, of host, and of containers where the engine's is visible.
    runtime:   the name of the scheme that found it (references.SCHEMES).
    addresses: what the runtime says its addresses are; the namespace itself may have more (see `peers`).
    """

    reference: str
    name: str
    netns_fd: int
    dev: int
    ino: int
    pid: int | None
    path: str | None
    runtime: str
    addresses: tuple[Address, ...] = ()
    _closed: threading.Event = field(default_factory=threading.Event, init=False, repr=False, compare=False)

    @property
    def identity(self) -> str:
        """'DEV-INO' in decimal: the name of the target's state directory. Unique among namespaces that exist at one time."""
        return f"{self.dev}-{self.ino}"

    def close(self) -> None:
        """Close netns_fd; only the first call does (the number may be someone else's by the second)."""
        if not self._closed.is_set():
            self._closed.set()
            os.close(self.netns_fd)

    def __enter__(self) -> Target:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True)
class Peer:
    """The other side of a match. prefix: its addresses; origin: the words of the user that became it."""

    prefix: Prefix
    origin: str


@dataclass(frozen=True)
class Listing:
    """One line of `netweather targets`: something that a reference can name, and whether it can be a target now.

    reference: what to write to name it.        state: the runtime's word ("running", "paused"; "present" or "stale" of a name).
    compose:   "PROJECT/SERVICE", or "".        id, image: the container's, or "".
    addresses: all but loopback's, v4 first.    interfaces: names of the namespace's interfaces but lo and Netweather's own.
    identity:  the namespace's 'DEV-INO'; None when it could not be opened.
    note:      why it cannot be a target, or what part of the line is missing; "" when all is well.
    """

    reference: str
    runtime: str
    name: str
    state: str
    id: str = ""
    image: str = ""
    compose: str = ""
    addresses: tuple[Address, ...] = ()
    interfaces: tuple[str, ...] = ()
    pid: int | None = None
    identity: str | None = None
    note: str = ""


class Watch(Protocol):
    """What a reference names, as it comes and goes: the runtime's half of `following.Follower`.

    A key stands for one thing, such as a container's id; whether it still has the namespace it had is asked again only when
    `changes` names it. every: seconds after which `present` is asked for again even so; the only way when `changes` ends by itself.
    """

    every: float

    def present(self) -> set[str]:
        """The keys of what is there now; an empty set when nothing is. Raises NetweatherError when the runtime fails."""

    def open(self, key: str) -> Target | None:
        """Its namespace, which the caller closes; None when it is gone or not ready. Raises NetweatherError when it is no target."""

    def changes(self) -> Iterator[str]:
        """The keys of what changed, as it does; "" when all of it may have, as after connecting. Raises NetweatherError when the
        runtime fails, so that it is called again; returns when there is nothing to listen to."""

    def close(self) -> None:
        """End `changes`, also one that waits in another thread."""


class Runtime(Protocol):
    """What every module of a scheme offers as its `RUNTIME`."""

    def open(self, reference: Reference, *, as_peer: bool = False) -> list[Target]:
        """Open every namespace that the reference names; at least one, or a NetweatherError with none left open.

        as_peer: only addresses are wanted, so that what cannot be a target (a paused container) is accepted.
        Namespaces may come twice and may be the host's: `resolve` sees to both.
        """

    def watch(self, reference: Reference) -> Watch:
        """What the reference names as it comes and goes, also when nothing of it is there yet. Looks at nothing."""

    def listings(self) -> list[Listing]:
        """What there is to name; an empty list when the runtime is not on this machine, NetweatherError when it fails."""


class WithIds(Protocol):
    """The `RUNTIME` of a scheme whose things have ids."""

    def complete(self, word: str) -> str:
        """What stands behind the colon, with an id in full in place of its beginning; as it is when no id begins so, or when
        something has exactly that name. Raises NetweatherError ambiguous-target, and what the runtime's failures raise."""
