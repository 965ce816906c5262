"""Whether what is in force for the cluster holds: what asks for it is measured once on each pod, beside everything else.

It is measured anew when it was changed, and not when only its end moved. Not here: how it is measured (engine.verification).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Final

from netweather.conditions import NetworkCondition
from netweather.engine.verification import VerifyOptions, verify
from netweather.errors import NetweatherError
from netweather.kubernetes.objects.node_objects import OrderKey, PodOrder, Proof
from netweather.measure import Verdict, in_words, worst
from netweather.targets.runtimes.cri import open_pod, pods_by_uid, references_by_address

if TYPE_CHECKING:
    from netweather.agent.agent import Agent

LOG: Final = logging.getLogger("netweather.agent")
LONGEST_S: Final = 60.0
"""A measurement that goes on for longer is given up; most take 10 seconds or less."""
Subject = tuple[str, int, NetworkCondition]
"""What a proof is of: the sandbox, the condition's generation, and what it says."""


@dataclass(frozen=True)
class _Proved:
    subject: Subject
    proof: Proof


class Proofs:
    """One node's. told: called in the loop whenever there is another one."""

    def __init__(self, agent: Agent, told: Callable[[], None]) -> None:
        self.agent, self.told = agent, told
        self._wanted: dict[OrderKey, Subject] = {}
        self._found: dict[OrderKey, _Proved] = {}
        self._running: set[OrderKey] = set()

    @property
    def found(self) -> dict[OrderKey, Proof]:
        """Those there are, by the order's key: of its generation, though perhaps of a change before the last."""
        return {key: each.proof for key, each in self._found.items()}

    def follow(self, group: asyncio.TaskGroup, held: Iterable[tuple[str, PodOrder]]) -> None:
        """What is in force now, in which sandbox: measures what has not been yet, and forgets what is gone."""
        orders = {order.key: (sandbox, order) for sandbox, order in held if order.verify}
        self._wanted = {key: (sandbox, order.generation, order.condition) for key, (sandbox, order) in orders.items()}
        self._found = {
            key: each for key, each in self._found.items() if key in self._wanted and each.subject[:2] == self._wanted[key][:2]
        }
        for key, subject in self._wanted.items():
            known = self._found.get(key)
            if key not in self._running and (known is None or known.subject != subject):
                self._running.add(key)
                group.create_task(self._prove(orders[key][1], subject))

    async def _prove(self, order: PodOrder, subject: Subject) -> None:
        try:
            async with self.agent.proving:
                if self._wanted.get(order.key) == subject:
                    proof = await self.agent.in_thread(self._measured, order, subject[0])
                    self._found[order.key] = _Proved(subject, proof)
        finally:
            self._running.discard(order.key)
            self.told()

    def _measured(self, order: PodOrder, sandbox: str) -> Proof:
        """In a thread. Whatever goes wrong leaves it open."""
        try:
            proof = _measure(self.agent, order, sandbox)
        except NetweatherError as error:
            return Proof(str(Verdict.CANT_TELL), str(error))
        except Exception as error:
            LOG.warning("%s on %s is not verified", order.condition.name, order.pod, exc_info=True)
            return Proof(str(Verdict.CANT_TELL), f"{type(error).__name__}: {error}")
        if datetime.now(UTC) >= order.ends:
            return Proof(str(Verdict.CANT_TELL), "its lease was over before it was measured")
        return proof


def _measure(agent: Agent, order: PodOrder, sandbox: str) -> Proof:
    """Raises NetweatherError."""
    end = monotonic() + LONGEST_S

    def look(share: float, text: str) -> None:
        if monotonic() > end:
            raise NetweatherError("not-proved", f"it took longer than {LONGEST_S:.0f} s", text or f"{share:.0%}", "try again")

    with open_pod(sandbox) as target:
        found = verify(agent.engine, target, VerifyOptions(order.condition.name, nearby=_nearby(order), anybody="host"), look)
    return Proof(str(worst(each.verdict for each in found)), "; ".join(in_words(each) for each in found))


def _nearby(order: PodOrder) -> Mapping[str, str]:
    """The peers that are pods of this node: both ends can be looked at."""
    words = {word for rule in order.condition.rules for word in rule.match.to}
    return {address: word for address, word in references_by_address(pods_by_uid().values()).items() if address in words}
