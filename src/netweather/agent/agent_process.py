"""The agent as a process: its sockets, its signals, its end. Not here: what is answered (app)."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from netweather.agent.agent import Agent
from netweather.agent.api.connection_protocol import AgentProtocol
from netweather.agent.api.http_app import make_app
from netweather.agent.cluster.node_agent import NodeAgent
from netweather.agent.principals import GROUP, Tokens, of_owner
from netweather.errors import UsageError
from netweather.host import service_sockets
from netweather.host.service_sockets import group_number
from netweather.serving import Server, at_end, log_to_stderr
from netweather.settings import Settings
from netweather.targets.runtimes import compose

LOG: Final = logging.getLogger("netweather.agent")
GRACE_S: Final = 5
KEEP_ALIVE_S: Final = 30


@dataclass(frozen=True)
class Listen:
    """Where to listen. socket: of the Unix socket. address: HOST:PORT besides, which needs the other three."""

    socket: Path
    address: str = ""
    certificate: Path | None = None
    key: Path | None = None
    tokens: Tokens = field(default_factory=Tokens)

    def __post_init__(self) -> None:
        if self.address and not (self.certificate and self.key and self.tokens.known):
            why = "without TLS others could change requests; without tokens all who can connect could change conditions"
            raise UsageError("tls-needed", "--listen needs TLS and tokens", why, "add --tls-cert, --tls-key and --tokens")
        if self.address and not self.host_port:
            raise UsageError(
                "bad-address", f"{self.address!r} is not HOST:PORT", "", "write --listen 127.0.0.1:8753 or [::1]:8753"
            )

    @property
    def host_port(self) -> tuple[str, int] | None:
        host, _, port = self.address.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            return None
        return host.removeprefix("[").removesuffix("]"), int(port)


def run(settings: Settings, listen: Listen, node: str = "", daemonset: str = "") -> None:
    """Serves until SIGTERM or SIGINT. Conditions stay: each ends in time, and the next agent goes on with it.

    node: of a Kubernetes cluster, whose NodeConditions it carries out besides. daemonset: the agent's own, NAMESPACE/NAME: when that
    is taken away, conditions end with the agent.

    Raises NetweatherError agent-running, cannot-listen.
    """
    log_to_stderr()
    compose.RUNTIME.own = compose.Own
    service_sockets.as_many_files_as_possible()
    with ExitStack() as stack:
        sockets: list[tuple[Any, dict[str, Any]]] = [
            (stack.enter_context(service_sockets.unix(listen.socket, group_number(GROUP))), {})
        ]
        if listen.host_port is not None:
            tls = {"ssl_certfile": str(listen.certificate), "ssl_keyfile": str(listen.key)}
            sockets.append((stack.enter_context(service_sockets.tcp(*listen.host_port)), tls))
        port = listen.host_port[1] if listen.host_port else None
        agent = Agent(settings, listen.tokens, port)
        asyncio.run(_serve(agent, sockets, NodeAgent(agent, node, daemonset=daemonset) if node else None))


async def _serve(agent: Agent, sockets: list[tuple[Any, dict[str, Any]]], node: NodeAgent | None) -> None:
    agent.events.bind(asyncio.get_running_loop())
    app = make_app(agent)
    servers = [
        (Server(app, GRACE_S, http=AgentProtocol, timeout_keep_alive=KEEP_ALIVE_S, **tls), socket) for socket, tls in sockets
    ]

    def stop() -> None:
        agent.events.close()
        for server, _ in servers:
            server.should_exit = True

    at_end(stop)

    async def ready() -> None:
        await agent.in_thread(agent.standing.resume, partial(of_owner, tokens=agent.tokens))
        await agent.in_thread(agent.go_on_with_scenarios)
        agent.spares.fill()
        service_sockets.tell_manager("READY=1")
        LOG.info("ready: %d targets kept", agent.keeping.count)
        async with asyncio.TaskGroup() as group:
            ordered = [group.create_task(node.run())] if node is not None else []
            async with asyncio.TaskGroup() as serving:
                for server, socket in servers:
                    serving.create_task(server.serve([socket]))
            for task in ordered:
                task.cancel()
        service_sockets.tell_manager("STOPPING=1")
        if node is not None:
            await node.leave()
        await agent.in_thread(agent.played.stop_all, for_now=True)  # while there is still somebody who takes devices away
        agent.keeping.stop()

    await agent.keeping.run(ready)
    agent.close()
