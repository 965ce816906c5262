"""A peer becomes prefixes: addresses and prefixes as they are, host names by the resolver, references by their namespaces.

    198.51.100.7  198.51.100.0/24  2001:db8::/32     as written
    docker:shop-db  compose:db  netns:db  pid:4711   all addresses of all its interfaces but loopback, both families
    db.example.org                                   all A and AAAA records, as the target's own resolver knows them now
One that fails: 198.51.100.7/24 is a UsageError (bad-peer) that offers 198.51.100.0/24 and 198.51.100.7.
Resolved once: `peersets` keeps them current.
"""

from __future__ import annotations

import math
import queue
import re
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, suppress
from ipaddress import IPv6Address, ip_interface, ip_network
from typing import TYPE_CHECKING, Final

from netweather.clock import CLOCK, Clock
from netweather.conditions.peer_kinds import is_reference
from netweather.errors import NetweatherError, UsageError, target_is_gone
from netweather.targets import _addresses, _names, _sockets
from netweather.targets.following import Follower, Started, follow
from netweather.targets.model import Address, Peer, Prefix, Target
from netweather.targets.references import SCHEMES, bare_name, parse
from netweather.targets.resolving import open_reference

if TYPE_CHECKING:
    from types import TracebackType

_HOST_NAME: Final = re.compile(r"(?=.{1,253}\.?$)[^\s/:%@\[\]]+")
# The resolver takes "10" and "0x7f.1" for IPv4 addresses; no host name ends in a number.
_NUMBERS: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?")
_OWN_TTL: Final = 30.0  # this machine's resolver does not tell any
_FORMS: Final = "an address, a prefix such as 198.51.100.0/24, a host name, or a reference such as docker:shop-db"


def resolve_peers(reference: str, target: Target | None = None) -> tuple[Peer, ...]:
    """The prefixes of a peer, at least one, v4 first and in order of number; origin is `reference` as it is.

    target: whose resolver knows host names; without one it is this machine's.
    A link-local address carries no interface: it matches on every interface of the target.
    Raises UsageError bad-peer and those of references.parse; NetweatherError unresolvable-peer, peer-without-address and
    everything that `resolve` raises, save host-namespace.
    """
    return resolved(reference, target)[0]


def resolved(reference: str, target: Target | None = None) -> tuple[tuple[Peer, ...], float]:
    """The same, and for how many seconds it is good: an address for ever, a host name by its TTL, a reference until it is told of."""
    text = reference.strip()
    prefix = _prefix(text)
    ttl = math.inf
    if prefix is not None:
        return (Peer(prefix, reference),), ttl
    if is_reference(text):
        addresses = _of_reference(text)
    elif is_host_name(text):
        addresses, ttl = _of_host(text, target)
    else:
        raise _bad(text, f"a peer is {_FORMS}", "")
    return tuple(Peer(ip_network(address), reference) for address in addresses), ttl


def is_host_name(text: str) -> bool:
    """Whether the words can be a host name; references and addresses are to be told apart before."""
    return "/" not in text and _HOST_NAME.fullmatch(text) is not None and _NUMBERS.fullmatch(text) is None


def _prefix(text: str) -> Prefix | None:
    """The prefix that was written, None when it is none at all. Raises UsageError bad-peer when it is nearly one."""
    try:
        prefix = ip_network("" if "%" in text else text)
    except ValueError:
        _refuse_near_miss(text)
        return None
    mapped = prefix.network_address.ipv4_mapped if isinstance(prefix.network_address, IPv6Address) else None
    if mapped is not None and prefix.prefixlen >= 96:
        prefix = ip_network(f"{mapped}/{prefix.prefixlen - 96}")
    if prefix.network_address.is_loopback and prefix.prefixlen > 0:
        raise _bad(text, "loopback traffic is never affected", "")
    return prefix


def _refuse_near_miss(text: str) -> None:
    """Raises UsageError bad-peer for what was meant as an address; a scheme's rest may hold anything."""
    if text.partition(":")[0] in {known.name for known in SCHEMES}:
        return
    try:
        meant = ip_interface(text)
    except ValueError:
        meant = None
    if "%" in text:
        raise _bad(
            text, "an address with an interface means something else in every namespace", "leave out the % and what follows"
        )
    if meant is not None:
        raise _bad(text, "the address has bits set behind the prefix", f"write {meant.network} or {meant.ip}")
    if "::" in text or text.count(":") > 1 or text.startswith("["):
        bracketed = re.fullmatch(r"\[(.+)\](:\d+)?", text)
        raise _bad(text, "it is no IPv6 address", f"write {bracketed[1]}" if bracketed else "")


def _of_reference(text: str) -> tuple[Address, ...]:
    """All addresses of what a reference names: those its runtime tells, and those its namespace really has."""
    found: list[Address] = []
    with ExitStack() as opened:
        targets = open_reference(parse(text), as_peer=True)
        for target in targets:
            opened.enter_context(target)
        for target in targets:
            found += target.addresses
            found += _addresses.addresses_of(_addresses.interfaces_in(target.netns_fd))
    if not found:
        why = "its namespace has only loopback addresses"
        raise NetweatherError("peer-without-address", f"{text} has no address", why, f"connect it to a network, or name {_FORMS}")
    return _addresses.ordered(found)


def _of_host(name: str, target: Target | None) -> tuple[tuple[Address, ...], float]:
    inside = target is not None and target.runtime != "host"
    try:
        answer = (
            _names.look_up(name, target) if target and inside else _names.ResolvedName(tuple(_sockets.look_up(name)), _OWN_TTL)
        )
    except UnicodeError as error:
        raise _bad(name, "it cannot be a host name", "") from error
    except OSError as error:
        whose = f"in {target.name}" if target and inside else "on this machine"
        meant = bare_name(name)
        remedy = f"give its address, or write {meant} if you mean the container" if meant else "give its address"
        why = f"{error.strerror or error}; the name was looked up {whose}"
        raise NetweatherError("unresolvable-peer", f"the host {name!r} could not be resolved", why, remedy) from error
    return _reachable(name, answer.addresses), answer.ttl


def _reachable(name: str, found: Iterable[Address]) -> tuple[Address, ...]:
    addresses = _addresses.ordered(address for address in found if not address.is_loopback)
    if not addresses:
        why = "it has loopback addresses only, and loopback traffic is never affected"
        raise NetweatherError("peer-without-address", f"the host {name!r} has no address to match", why, f"name {_FORMS}")
    return addresses


def _bad(text: str, why: str, remedy: str) -> UsageError:
    return UsageError("bad-peer", f"{text!r} is not a peer", why, remedy or f"name {_FORMS}")


PeerSet = dict[str, tuple[Prefix, ...]]
_RETRY: Final = 5.0
_ANEW: Final = 30.0  # a container may get another address without coming or going
_END: Final = None


class Peers:
    """What the words mean now, by word, whenever any of it changed: an iterator for one thread, and a context manager.

    words: as users write peers; target: whose resolver knows host names. The first comes at once. A host name that does not resolve keeps
    what it had (the first time: nothing); a reference that names nothing any more has no addresses, since somebody else may get them.
    on_problem: told of each, with the word, once until it is over.
    """

    def __init__(
        self,
        words: Iterable[str],
        target: Target | None = None,
        on_problem: Callable[[str, NetweatherError], None] | None = None,
        clock: Clock = CLOCK,
    ) -> None:
        self._clock = clock
        self._target = target
        self._on_problem = on_problem or (lambda word, problem: None)
        self._hints: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._due = dict.fromkeys(dict.fromkeys(words), 0.0)  # by word: when it is to be asked for again
        self._current: PeerSet = dict.fromkeys(self._due, ())
        self._told: dict[str, str] = {}
        self._closed = threading.Event()
        self._sets = self._follow()
        with ExitStack() as undo:
            self._followers = {word: undo.enter_context(follow(word)) for word in self._due if is_reference(word)}
            undo.pop_all()
        self._threads = [threading.Thread(target=self._listen, args=each, daemon=True) for each in self._followers.items()]
        for thread in self._threads:
            thread.start()

    def __iter__(self) -> Iterator[PeerSet]:
        return self

    def __next__(self) -> PeerSet:
        return next(self._sets)

    def __enter__(self) -> Peers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration, also one that waits; may be repeated."""
        self._closed.set()
        self._hints.put(_END)
        for follower in self._followers.values():
            follower.close()
        for thread in self._threads:
            thread.join()

    def _listen(self, word: str, follower: Follower) -> None:
        """Say that a word wants looking at. In a thread of its own for each reference."""
        for event in follower:
            if isinstance(event, Started):
                event.target.close()
            self._hints.put(word)

    def _follow(self) -> Generator[PeerSet, None, None]:
        first = True
        while not self._closed.is_set():
            before = dict(self._current)
            for word in [word for word, due in self._due.items() if due <= self._clock.now()]:
                self._renew(word)
            if first or self._current != before:
                yield dict(self._current)
            first = False
            self._wait()

    def _wait(self) -> None:
        """Until a word is due, or is said to want looking at."""
        soonest = min(self._due.values(), default=math.inf) - self._clock.now()
        with suppress(queue.Empty):
            hint = self._clock.get(self._hints, None if soonest == math.inf else max(0.0, soonest))
            while hint is not _END:
                self._due[hint] = 0.0
                hint = self._hints.get_nowait()

    def _renew(self, word: str) -> None:
        try:
            peers, ttl = resolved(word, self._target)
        except UsageError as error:
            self._due[word] = math.inf
            self._tell(word, error)
        except NetweatherError as error:
            if is_reference(word) and (target_is_gone(error) or error.code == "peer-without-address"):
                self._current[word] = ()
            self._due[word] = self._clock.now() + _RETRY
            self._tell(word, error)
        else:
            self._told.pop(word, None)
            self._current[word] = tuple(peer.prefix for peer in peers)
            self._due[word] = self._clock.now() + (_ANEW if is_reference(word) else ttl)

    def _tell(self, word: str, problem: NetweatherError) -> None:
        if self._told.get(word) != problem.code:
            self._told[word] = problem.code
            self._on_problem(word, problem)
