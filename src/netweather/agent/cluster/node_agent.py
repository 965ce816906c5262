"""What the cluster asks of this node, carried out: its NodeConditions object is followed, its pods found through CRI, and both compared.

The object is all that the agent reads of the cluster. With the API server away everything goes on, each condition until its own end, which
the kernel holds. A pod's network is its sandbox's: restarted containers change nothing, and a new sandbox is found and gets it anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from netweather.agent.cluster.pod_verification import Proofs
from netweather.engine import entries
from netweather.engine.engine_choice import engines
from netweather.errors import NetweatherError
from netweather.kubernetes.objects.node_objects import OWNER, OrderKey, Orders, PodOrder, read_orders, status_of
from netweather.kubernetes.server import api as kinds
from netweather.kubernetes.server.api import Api, is_forbidden
from netweather.kubernetes.server.informer import Informer
from netweather.service.callers import refuse_files
from netweather.targets import resolve_peers
from netweather.targets.runtimes.cri import open_pod, pods_by_uid

if TYPE_CHECKING:
    from netweather.agent.agent import Agent

LOG: Final = logging.getLogger("netweather.agent")
LOOKS_S, WAITS_S = 2.0, 0.2
"""Between two looks at the runtime: as a rule, and while a pod that is asked for is not there yet."""
RETRIES_S: Final = 2.0
SUCCEEDS_S: Final = 1.0
"""So much longer the kernel holds what another state of a scenario is about to take the place of, lest there be a gap."""


@dataclass(frozen=True)
class HeldCondition:
    """What is in force by our doing. host: the host's addresses of then; engine: what makes it."""

    sandbox: str
    order: PodOrder
    host: tuple[str, ...]
    engine: str


class NodeAgent:
    """This node. connect: makes the connection to the cluster. daemonset: NAMESPACE/NAME of the one that we are of, if any."""

    def __init__(self, agent: Agent, name: str, connect: Callable[[], Any] = Api.connect, daemonset: str = "") -> None:
        self.agent, self.name, self.connect, self.daemonset = agent, name, connect, daemonset
        self._api: Api | None = None
        self._dirty = asyncio.Event()
        self._held: dict[OrderKey, HeldCondition] = {}
        self._proofs = Proofs(agent, self._dirty.set)
        self._failed: dict[OrderKey, NetweatherError] = {}
        self._told: dict[str, Any] = {}

    async def run(self) -> None:
        """For ever. Raises NetweatherError no-kubernetes-extra."""
        api = self._api = await self._connected()
        followed = Informer(kinds.NODES, read_orders, self._dirty.set, self.name)
        async with asyncio.TaskGroup() as group:
            group.create_task(followed.run(api))
            await followed.listed.wait()  # before, what is in force stays
            LOG.info("node %s: its conditions are known", self.name)
            while True:
                self._dirty.clear()
                orders = followed.objects.get(("", self.name), Orders(0))
                waiting = await self.agent.in_thread(self._carry_out, orders)
                self._proofs.follow(group, ((held.sandbox, held.order) for held in self._held.values()))
                await self._tell(api, orders)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_pause(orders, waiting=waiting)):  # wait_for may forget that it was cancelled
                        await self._dirty.wait()

    async def leave(self) -> None:
        """The agent ends. When that is since Netweather is taken off the cluster, so does all that it keeps; a restart changes nothing."""
        if self._api is not None and self.daemonset and await is_taken_away(self._api, self.daemonset):
            LOG.info("node %s: %s is being deleted, so all conditions end", self.name, self.daemonset)
            await self.agent.in_thread(self._clear, set())
            await self.agent.in_thread(self._clear_kept)

    async def _connected(self) -> Api:
        told = False
        while True:
            try:
                connected: Api = await self.connect()
            except NetweatherError as error:
                if error.code == "no-kubernetes-extra":
                    raise
                if not told:
                    LOG.warning("%s", error)
                told = True
                await asyncio.sleep(RETRIES_S)
            else:
                return connected

    # in a thread

    def _carry_out(self, orders: Orders) -> bool:
        """Everything that is asked and not in force yet, and away with what is not asked any more; whether a pod is still to come."""
        try:
            sandboxes = pods_by_uid()
            host = tuple(str(peer.prefix) for peer in resolve_peers("host"))
        except NetweatherError as error:
            LOG.warning("node %s: %s", self.name, error)
            return False
        now = datetime.now(UTC)
        wanted = orders.there(now)
        self._clear({(sandboxes[uid], name) for uid, name in wanted if uid in sandboxes})
        self._held = {key: held for key, held in self._held.items() if key in wanted}
        known = {order.key for order in orders.pods if order.ends > now}
        self._failed = {key: error for key, error in self._failed.items() if key in known}
        for key, order in wanted.items():
            sandbox = sandboxes.get(order.pod_uid)
            if sandbox is None:
                self._held.pop(key, None)
            elif (held := self._held.get(key)) is None or (held.sandbox, held.order, held.host) != (sandbox, order, host):
                self._set(order, sandbox, host, SUCCEEDS_S if (key, order.ends) in orders.followed else 0.0)
        return any(order.pod_uid not in sandboxes for order in wanted.values())

    def _set(self, order: PodOrder, sandbox: str, host: tuple[str, ...], longer_s: float) -> None:
        condition = order.at(datetime.now(UTC), host, longer_s)
        if condition is None:
            return
        told = {"name": condition.name, "target": order.pod, "owner": OWNER}
        try:
            refuse_files([condition])
            with open_pod(sandbox) as target:
                made = self.agent.engine.set(target, condition)
                self.agent.keeping.look(target.identity)
        except (NetweatherError, OSError) as error:
            problem = error if isinstance(error, NetweatherError) else NetweatherError("internal-error", str(error))
            if str(self._failed.get(order.key)) != str(problem):
                LOG.warning("%s on %s: %s", condition.name, order.pod, problem)
                self.agent.events.publish("condition-failed", **told, why=str(problem))
            self._held.pop(order.key, None)
            self._failed[order.key] = problem
        else:
            self._failed.pop(order.key, None)
            self._held[order.key] = HeldCondition(sandbox, order, host, engines(made.rules))
            self.agent.events.publish("condition-set", **told, by=OWNER)

    def _clear(self, wanted: set[tuple[str, str]]) -> None:
        """Ends what an agent set for the cluster and nobody asks for now. wanted: sandboxes and names."""
        engine = self.agent.engine
        for identity in engine.journal.identities():
            entry = entries.readable(engine.journal, identity)
            for each in entry.conditions if entry else ():
                sandbox = entry.target.reference.removeprefix("cri:") if entry else ""
                if each.condition.owner != OWNER or (sandbox, each.condition.name) in wanted:
                    continue
                try:
                    engine.clear_known(identity, each.condition.name, owner=OWNER)
                    self.agent.keeping.look(identity)
                    counted = self.agent.keeping.last_counters(identity, each.condition.name)
                    what = {"name": each.condition.name, "target": sandbox, "by": OWNER}
                    self.agent.events.publish("condition-cleared", **what, counters=counted)
                except NetweatherError as error:
                    LOG.warning("%s on %s: %s", each.condition.name, sandbox, error)

    def _clear_kept(self) -> None:
        """What others set through this agent: nobody would take its devices away."""
        engine = self.agent.engine
        for identity in filter(self.agent.keeping.keeps, engine.journal.identities()):
            try:
                engine.clear_known(identity)
                self.agent.keeping.look(identity)
            except NetweatherError as error:
                LOG.warning("%s: %s", identity, error)

    # in the loop

    async def _tell(self, api: Api, orders: Orders) -> None:
        """The status of our object, when it is another than what was told."""
        if not orders.generation:
            self._told = {}
            return
        in_force = {key: held.engine for key, held in self._held.items()}
        status = status_of(orders, in_force, self._failed, self._proofs.found, datetime.now(UTC))
        if status == self._told:
            return
        try:
            await api.merge(kinds.NODES, self.name, {"status": status}, part="status")
            self._told = status
        except NetweatherError as error:
            LOG.debug("status of %s: %s", self.name, error)


def _pause(orders: Orders, *, waiting: bool) -> float:
    """Seconds until the next look: at the latest when a state of a scenario begins or ends."""
    now = datetime.now(UTC)
    edge = orders.next_edge(now)
    usual = WAITS_S if waiting else LOOKS_S
    return usual if edge is None else min(usual, (edge - now).total_seconds())


async def is_taken_away(api: Api, daemonset: str) -> bool:
    """Whether this DaemonSet is being deleted or gone, or its namespace, or our account with them; no while the server doesn't answer.

    A namespace's pods are deleted before its DaemonSets, so both are asked for. An account without rights is asked twice: a
    server that has just started may not know them yet.
    """
    namespace, _, name = daemonset.partition("/")
    forbidden = 0
    while True:
        try:
            asked = [await api.read(kinds.NAMESPACES, namespace), await api.read(kinds.DAEMONSETS, name, namespace)]
        except NetweatherError as error:
            forbidden += is_forbidden(error)
            if not is_forbidden(error) or forbidden == 2:
                return is_forbidden(error)
            await asyncio.sleep(RETRIES_S)
        else:
            return any(each is None or "deletionTimestamp" in each["metadata"] for each in asked)
