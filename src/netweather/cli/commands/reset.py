"""`netweather reset`: connections end as if the network had forgotten them. Not here: how (engine.views.connections)."""

from __future__ import annotations

from typing import Any

from netweather.cli import command_factory
from netweather.cli.commands.connections import MATCHES, exclude_option, name_option, state_option, target_argument, which
from netweather.cli.full_ids import connected
from netweather.cli.options import direct_option, given, json_option, with_flags
from netweather.cli.output import say, say_json
from netweather.settings import Settings

_EXAMPLES = """
netweather reset docker:shop-api \\
  --connection 198.51.100.3:40000-198.51.100.4:5432
netweather reset docker:shop-api --to docker:shop-db --port 5432
# reset one in ten connections, as a restarting load balancer does
netweather reset docker:shop-api --share 10%
"""


@command_factory.command("reset", examples=_EXAMPLES)
@target_argument
@exclude_option
@state_option
@name_option
@command_factory.option("--yes", is_flag=True, help="confirm that you mean the host's own network (TARGET host)")
@direct_option
@json_option
@with_flags("match", only=MATCHES)
def command(
    target: str,
    *,
    exclude: tuple[str, ...],
    states: tuple[str, ...],
    name: str | None,
    yes: bool,
    direct: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Ends existing connections of TARGET: the local process gets an error, and a TCP peer gets a RST.

    Choose the connections with --connection, --to, --port and similar options; at least one is required. New connections are
    not affected; to block those, use `netweather set --block reject`. `netweather connections` lists the existing ones.
    """
    meant = which(given(flags), exclude, states, name)
    ended = connected(Settings.load(), direct=direct).reset(target, meant, host=yes)
    if as_json:
        from netweather.wire.connection_documents import CONNECTIONS

        say_json([CONNECTIONS.write(each) for each in ended])
        return
    for each in ended:
        for live in each.connections:
            process = f" of {live.holder.name}[{live.holder.pid}]" if live.holder else ""
            say(f"reset {live.connection} ({live.protocol}){process} on {each.target.reference}")
