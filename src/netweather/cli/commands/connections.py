"""`netweather connections`: which connections a target has, how they fare, and which rules they meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from netweather.cli import command_factory, completion
from netweather.cli.full_ids import connected
from netweather.cli.options import direct_option, given, json_option, with_flags
from netweather.cli.output import say, say_json
from netweather.cli.repeating import again_and_again
from netweather.conditions.language.flags import FlagValue
from netweather.errors import UsageError
from netweather.settings import Settings

if TYPE_CHECKING:
    from netweather.engine import SocketFilter, SocketInfo, TargetSockets
    from netweather.kernel.datapath.spec import RuleId

_EXAMPLES = """
netweather connections docker:shop-api
netweather connections docker:shop-api --to docker:shop-db --port 5432
# connections that a condition matches; then sorted by round-trip time
netweather connections docker:shop-api --name slow-database
netweather connections docker:shop-api --json | jq -r '.[].connections
  | sort_by(-.tcp.rttSeconds)[] | "\\(.tcp.rttSeconds) \\(.connection)"'
# watch, degrade or reset a single connection
netweather connections docker:shop-api --watch \\
  --connection 198.51.100.3:40000-198.51.100.4:5432
netweather set docker:shop-api --delay 1s \\
  --connection 198.51.100.3:40000-198.51.100.4:5432
netweather reset docker:shop-api \\
  --connection 198.51.100.3:40000-198.51.100.4:5432
"""
MATCHES: Final = ("to", "port", "protocol", "family", "connection", "share")
"""The flags that say which connections are meant."""
target_argument = command_factory.argument("target", metavar="TARGET", complete=completion.targets, help="the target")
exclude_option = command_factory.option(
    "--exclude", metavar="MATCH", multiple=True, help="leave out connections to a peer, or those with KEY=VALUE,… (e.g. port=22)"
)
state_option = command_factory.option(
    "--state",
    "states",
    metavar="STATE",
    multiple=True,
    complete=completion.states,
    help="only connections in this TCP state, such as established",
)
name_option = command_factory.option(
    "--name", metavar="NAME", complete=completion.names, help="only connections that a rule of this condition matches"
)


@command_factory.command("connections", examples=_EXAMPLES)
@target_argument
@exclude_option
@state_option
@name_option
@command_factory.option("--all", "everything", is_flag=True, help="also list sockets without a peer")
@command_factory.option("--watch", is_flag=True, help="refresh every second until Ctrl-C")
@direct_option
@json_option
@with_flags("match", only=MATCHES)
def command(
    target: str,
    *,
    exclude: tuple[str, ...],
    states: tuple[str, ...],
    name: str | None,
    everything: bool,
    watch: bool,
    direct: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Lists the TCP connections and connected UDP sockets of TARGET, as the kernel reports them (sock_diag).

    For each connection it shows the process, TCP's smoothed and minimum round-trip time, retransmitted segments, delivery rate,
    bytes in the receive and send queues, and the rules that match its packets in each direction.
    """
    meant = which(given(flags), exclude, states, name, listening=everything)
    service = connected(Settings.load(), direct=direct)

    def say_all(listed: list[TargetSockets]) -> None:
        if as_json:
            from netweather.wire.connection_documents import CONNECTIONS

            say_json([CONNECTIONS.write(each) for each in listed], compact=watch)
        else:
            tell(listed)

    if watch:
        again_and_again(lambda: service.connections(target, meant), say_all, None if as_json else _drawn)
    else:
        say_all(service.connections(target, meant))


def which(
    flags: dict[str, FlagValue], exclude: Sequence[str], states: Sequence[str], name: str | None, *, listening: bool = False
) -> SocketFilter:
    """Chosen connections the words mean. Raises UsageError."""
    from netweather.conditions.language.flags import match_from_short, rule_from_flags
    from netweather.engine import SocketFilter

    match = rule_from_flags(flags).match
    if match.protocol not in (None, "tcp", "udp"):
        why = "sock_diag lists only TCP and UDP"
        raise UsageError("bad-protocol", f"connections of protocol {match.protocol} cannot be listed", why, "write tcp or udp")
    others = tuple(match_from_short(text, "--exclude") for text in exclude)
    return SocketFilter(match, others, tuple(states), name, listening)


def tell(listed: list[TargetSockets]) -> None:
    """A table for each target."""
    say("\n".join(_lines(listed)))


def _drawn(listed: list[TargetSockets]) -> Any:
    """The same for a display that is drawn over; what has no room there is cut off."""
    from rich.text import Text

    return Text("\n".join(_lines(listed)), no_wrap=True, overflow="ellipsis")


def _lines(listed: list[TargetSockets]) -> Iterator[str]:
    """Written by hand: ten thousand rows would take Rich many seconds."""
    for number, each in enumerate(listed):
        if len(listed) > 1:
            yield f"{'' if number == 0 else chr(10)}{each.target.name}:"
        if not each.connections:
            yield f"no such connections on {each.target.reference}"
            continue
        rows = [_TITLES, *map(_row, each.connections)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


_TITLES: Final = (
    "Connection",
    "Protocol",
    "State",
    "Process",
    "RTT (min)",
    "Retransmits",
    "Delivery rate",
    "Queues in/out",
    "Rules out/in",
)


def _row(live: SocketInfo) -> tuple[str, ...]:
    from netweather.cli.wording import bit_rate, microseconds

    one, info = live.socket, live.socket.info
    process = f"{live.holder.name}[{live.holder.pid}]" if live.holder else "-"
    tcp = ("", "", "")
    if info is not None and info.rtt is not None:
        least = f" ({microseconds(info.min_rtt)})" if info.min_rtt is not None else ""
        tcp = (f"{microseconds(info.rtt)}{least}", str(info.total_retransmits), bit_rate(info.delivery_rate * 8))
    queues = f"{one.receive_queue}/{one.send_queue}"
    return (live.connection, live.protocol, live.state, process, *tcp, queues, rules_words(live.egress, live.ingress))


def rules_words(egress: RuleId | None, ingress: RuleId | None) -> str:
    """'slow 1' when it is the same both ways, 'slow 1/-' when not; '' for none. Rules are counted from 1, as `verify` does."""
    if egress == ingress:
        return _met(egress) if egress else ""
    return f"{_met(egress)}/{_met(ingress)}"


def _met(met: RuleId | None) -> str:
    return f"{met.condition} {met.rule + 1}" if met else "-"
