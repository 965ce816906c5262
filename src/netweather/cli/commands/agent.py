"""`netweather agent`: the service that keeps conditions for everybody on this machine. Not here: the service (netweather.agent)."""

from __future__ import annotations

import importlib
from pathlib import Path

from netweather.cli import command_factory
from netweather.connecting import need_root
from netweather.errors import NetweatherError, UsageError
from netweather.settings import Settings

_EXAMPLES = """
sudo netweather agent
# for remote clients, which set NETWEATHER_AGENT=https://HOST:8753
sudo netweather agent --listen 0.0.0.0:8753 --tls-cert cert.pem \\
  --tls-key key.pem --tokens /etc/netweather/tokens.toml
"""


@command_factory.command("agent", examples=_EXAMPLES)
@command_factory.option("--socket", metavar="PATH", help="path of the Unix socket (default: agent.sock in the state directory)")
@command_factory.option(
    "--listen", metavar="HOST:PORT", default="", help="also listen on TCP; needs --tls-cert, --tls-key and --tokens"
)
@command_factory.option("--tls-cert", "certificate", metavar="FILE", help="TLS certificate with its chain (PEM)")
@command_factory.option("--tls-key", "key", metavar="FILE", help="private key of the certificate (PEM)")
@command_factory.option("--tokens", metavar="FILE", help="tokens and their rights for TCP clients (docs/agent.md)")
@command_factory.option(
    "--kubernetes",
    metavar="NODE",
    default="",
    help="also apply the conditions of a Kubernetes cluster for this node (docs/kubernetes.md)",
)
@command_factory.option(
    "--daemonset",
    metavar="NAMESPACE/NAME",
    default="",
    help="DaemonSet that runs this agent; if it is deleted, the agent clears its conditions when it stops",
)
def command(
    *,
    socket: str | None,
    listen: str,
    certificate: str | None,
    key: str | None,
    tokens: str | None,
    kubernetes: str,
    daemonset: str,
) -> None:
    """Manages conditions for the command line, tests and other programs, until it is stopped.

    Root and members of the group netweather may use the socket. Conditions stay in force when the agent stops: the kernel ends
    each one at its deadline, and the next agent takes over the rest.
    """
    if daemonset and not all(daemonset.partition("/")):
        raise UsageError("bad-daemonset", f"{daemonset!r} is not NAMESPACE/NAME", "", "write --daemonset netweather/agent")
    need_root()
    try:
        # By name: front ends don't import each other, and who has not the extra still has the command line.
        serving = importlib.import_module("netweather.agent.agent_process")
    except ModuleNotFoundError as error:
        why = f"the package {error.name} is not installed"
        raise NetweatherError("no-agent-extra", "this installation has no agent", why, "install netweather[agent]") from error
    principals = importlib.import_module("netweather.agent.principals")
    settings = Settings.load()
    known = principals.Tokens.load(Path(tokens)) if tokens else principals.Tokens()
    pem = [Path(each) if each else None for each in (certificate, key)]
    serving.run(settings, serving.Listen(Path(socket or settings.socket), listen, *pem, known), kubernetes, daemonset)
