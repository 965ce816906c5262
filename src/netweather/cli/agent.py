"""`netweather agent`: the service that keeps conditions for everybody on this machine. Not here: the service (netweather.agent)."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any

from netweather.cli import pages
from netweather.cli.options import option
from netweather.connecting import need_root
from netweather.errors import NetweatherError, UsageError
from netweather.settings import Settings

_EXAMPLES = """
sudo netweather agent
# for clients elsewhere, which name it by NETWEATHER_AGENT=https://HOST:8753
sudo netweather agent --listen 0.0.0.0:8753 --tls-cert cert.pem \\
  --tls-key key.pem --tokens /etc/netweather/tokens.toml
"""


def _agent(
    *,
    socket: Annotated[str | None, option("socket", "PATH", "the Unix socket; agent.sock in the state directory")] = None,
    listen: Annotated[str, option("listen", "HOST:PORT", "listen on TCP too; needs the following")] = "",
    certificate: Annotated[str | None, option("tls-cert", "FILE", "PEM, with its chain")] = None,
    key: Annotated[str | None, option("tls-key", "FILE", "its key")] = None,
    tokens: Annotated[str | None, option("tokens", "FILE", "who may do what over TCP (docs/agent.md)")] = None,
    kubernetes: Annotated[
        str, option("kubernetes", "NODE", "carry out what a cluster asks of this node (docs/kubernetes.md)")
    ] = "",
    daemonset: Annotated[
        str, option("daemonset", "NAMESPACE/NAME", "its own: when that is deleted, conditions end with the agent")
    ] = "",
) -> None:
    """Keeps conditions for the command line, tests and programs, until it is told to end.

    Root and the group netweather may use the socket. Conditions outlive it: the kernel ends each in time, and the next agent
    goes on with what is left.
    """
    if daemonset and not all(daemonset.partition("/")):
        raise UsageError("bad-daemonset", f"{daemonset!r} is not NAMESPACE/NAME", "", "write --daemonset netweather/agent")
    need_root()
    try:
        # By name: front ends don't import each other, and who has not the extra still has the command line.
        serving = importlib.import_module("netweather.agent.serving")
    except ModuleNotFoundError as error:
        why = f"the package {error.name} is not installed"
        raise NetweatherError("no-agent-extra", "this installation has no agent", why, "install netweather[agent]") from error
    principals = importlib.import_module("netweather.agent.principals")
    settings = Settings.load()
    known = principals.Tokens.load(Path(tokens)) if tokens else principals.Tokens()
    pem = [Path(each) if each else None for each in (certificate, key)]
    serving.run(settings, serving.Listen(Path(socket or settings.socket), listen, *pem, known), kubernetes, daemonset)


def command() -> Any:
    """The Typer command."""
    return pages.command(_agent, name="agent", examples=_EXAMPLES)
