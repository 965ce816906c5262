"""What was asked of a selector goes for what comes later, too: a container that restarts, or a new one of that label.

An order stands until its lease is over or it is cleared; whoever starts meanwhile under its reference gets the condition, for the time
that is left. Orders are remembered by the journals of their targets. Not here: seeing containers come and go (targets.following).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol

from netweather.agent.events import Events
from netweather.clock import CLOCK, Clock
from netweather.conditions import FOREVER, NetworkCondition
from netweather.engine import Engine
from netweather.errors import NetweatherError, UsageError
from netweather.kernel.datapath.spec import NEVER
from netweather.service import Caller, LocalService
from netweather.service.callers import DIRECT
from netweather.targets import Target, alive, parse
from netweather.targets.following import Started, follow
from netweather.targets.references import scheme
from netweather.units import Duration

LOG: Final = logging.getLogger("netweather.agent")
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 2.0
_FINAL: Final = frozenset({"other-owner", "not-allowed"})
"""Failures that another try does not change."""


class Following(Protocol, AbstractContextManager[Any]):
    """The events of one reference; `targets.following.Follower` is one."""

    def __iter__(self) -> Iterator[Any]: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class SelectorOrder:
    """A condition for all that one reference names, until a deadline (boot time, or NEVER). caller: who set it."""

    condition: NetworkCondition
    deadline: int
    caller: Caller = DIRECT

    def left(self, now_ns: int) -> NetworkCondition | None:
        """The condition with what is left of its lease then (boot time); None when that is over."""
        if self.deadline == NEVER:
            return replace(self.condition, lease=FOREVER)
        ns = self.deadline - now_ns
        return replace(self.condition, lease=Duration(ns)) if ns > 0 else None


class SelectorConditions:
    """The orders, and a follower for each of their references. Every method may be called by any thread."""

    def __init__(
        self,
        engine: Engine,
        events: Events,
        following: Callable[[str], Following] = follow,
        clock: Clock = CLOCK,
        service: Callable[[Caller], LocalService] | None = None,
    ) -> None:
        self.engine, self.events, self.following, self.clock = engine, events, following, clock
        self.service = service or partial(LocalService, engine)
        self._orders: dict[tuple[str, str], SelectorOrder] = {}
        self._followers: dict[str, Following] = {}
        self._timed: tuple[int, Callable[[], None]] | None = None
        """When the next order is over, and what calls off waiting for that."""
        self._lock = threading.Lock()
        self._closed = False
        self._ended = threading.Event()

    @property
    def orders(self) -> list[tuple[str, str]]:
        """(reference, name) of each."""
        with self._lock:
            return sorted(self._orders)

    def remember(self, condition: NetworkCondition, deadline: int | None = None, caller: Caller = DIRECT) -> None:
        """Was set just now, or with a deadline from before."""
        now = self.clock.boot_ns()
        if deadline is None:
            deadline = NEVER if condition.lease is FOREVER else now + condition.lease.ns
        with self._lock:
            for reference in condition.targets:
                if scheme(parse(reference).scheme).starts and not self._closed:
                    self._orders[reference, condition.name] = SelectorOrder(condition, deadline, caller.later)
                    self._follow(reference)
            self._wait_for_next_end()

    def resume(self, caller_of: Callable[[str], Caller] = lambda owner: DIRECT) -> None:
        """The orders of the journals' conditions. caller_of: who set one, by its owner."""
        for identity in self.engine.journal.identities():
            try:
                entry = self.engine.journal.read(identity)
            except NetweatherError:
                continue
            for each in entry.conditions if entry else ():
                self.remember(each.condition, each.deadline, caller_of(each.condition.owner))

    def withdraw(
        self, fits: Callable[[NetworkCondition], bool], references: Collection[str] = ()
    ) -> dict[tuple[str, str], SelectorOrder]:
        """Ends the orders of these references, or of all, whose condition fits, and returns them. Whoever starts later gets
        nothing, and whoever has just got something loses it again."""
        with self._lock:
            found = {
                key: order
                for key, order in self._orders.items()
                if (not references or key[0] in references) and fits(order.condition)
            }
            for key in found:
                del self._orders[key]
            self._let_go()
        return found

    def restore(self, orders: Mapping[tuple[str, str], SelectorOrder]) -> None:
        """They were not to be withdrawn."""
        with self._lock:
            for (reference, name), order in {} if self._closed else orders.items():
                self._orders.setdefault((reference, name), order)
                self._follow(reference)

    def forget(self, orders: Iterable[tuple[str, str]]) -> None:
        """These are cleared: who starts later gets nothing."""
        with self._lock:
            for order in orders:
                self._orders.pop(order, None)
            self._let_go()

    def close(self) -> None:
        """Follows nothing any more."""
        with self._lock:
            self._closed = True
            self._ended.set()
            self._orders.clear()
            self._let_go()
            self._wait_for_next_end()

    def _drop_over(self) -> None:
        with self._lock:
            over = [key for key, order in self._orders.items() if order.left(self.clock.boot_ns()) is None]
            for key in over:
                del self._orders[key]
            self._let_go()
            self._timed = None
            self._wait_for_next_end()

    def _wait_for_next_end(self) -> None:
        """One timer for all orders: it is a thread, and each condition that is set is an order."""
        ends = min((order.deadline for order in self._orders.values()), default=NEVER)
        if self._timed is not None and self._timed[0] == ends:
            return
        if self._timed is not None:
            self._timed[1]()
            self._timed = None
        if ends != NEVER:
            self._timed = (ends, self.clock.later((ends - self.clock.boot_ns()) / 1e9, self._drop_over))

    def _follow(self, reference: str) -> None:
        if reference not in self._followers:
            follower = self._followers[reference] = self.following(reference)
            threading.Thread(target=self._watch, args=(reference, follower), name=f"stand {reference}", daemon=True).start()

    def _let_go(self) -> None:
        """Ends the followers of references without an order; each in its own time, since closing waits for the runtime."""
        wanted = {reference for reference, _ in self._orders}
        for reference in [each for each in self._followers if each not in wanted]:
            follower = self._followers.pop(reference)
            threading.Thread(target=follower.close, daemon=True).start()

    def _watch(self, reference: str, follower: Following) -> None:
        for event in follower:
            if isinstance(event, Started) and not self._put(reference, event.target):
                threading.Thread(
                    target=self._insist, args=(reference, event.target), name=f"put {reference}", daemon=True
                ).start()

    def _insist(self, reference: str, target: Target) -> None:
        """Tries again what failed, ever more rarely, for as long as it stands and somebody lives in the target."""
        pause = _FIRST_PAUSE_S
        with target:
            while not self.clock.wait(self._ended, pause) and alive(target, ignoring={os.getpid()}):
                if self._put(reference, target, again=True):
                    return
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _put(self, reference: str, target: Target, *, again: bool = False) -> bool:
        """Whatever stands for the reference and the target hasn't got. Returns whether it is done; then the target is closed.

        again: it failed before, which is told once.
        """
        with self._lock:
            names = sorted(name for words, name in self._orders if words == reference)
        done = True
        for name in names:
            try:
                if all(each.condition.name != name for each in self.engine.active(target)):
                    self._put_one(reference, name, target)
            except (NetweatherError, OSError) as error:
                done &= isinstance(error, UsageError) or getattr(error, "code", "") in _FINAL
                if not again:
                    LOG.warning("%s on %s (%s): %s", name, target.reference, target.name, error)
                    self.events.publish("condition-failed", name=name, target=target.reference, why=str(error))
        if done:
            target.close()
        return done

    def _put_one(self, reference: str, name: str, target: Target) -> None:
        """What was withdrawn meanwhile is taken back, since whoever withdrew it may have looked at the target before it had it."""
        put: NetworkCondition | None = None
        while (order := self._orders.get((reference, name))) is not None and (
            left := order.left(self.clock.boot_ns())
        ) is not None:
            put = left
            self.service(order.caller).set_later(target, left)
            if self._orders.get((reference, name)) is order:
                told = {"name": name, "target": target.reference, "owner": left.owner}
                self.events.publish("condition-set", **told, by="agent")
                return
        if put is not None:
            with suppress(NetweatherError):  # whoever withdrew it has ended it
                self.engine.clear(target, name, owner=put.owner)
