"""`netweather record`: what the connections of a target live through, learnt passively, as a profile for `set --profile`."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netweather.cli import command_factory, completion
from netweather.cli.options import json_option
from netweather.cli.output import say, say_json
from netweather.errors import NetweatherError, UsageError

if TYPE_CHECKING:
    from netweather.kernel.tracing.link_recorder import Recorder
    from netweather.observation.profile_learning import LearntLine

_EXAMPLES = """
netweather record docker:shop-api --for 1h -o home.yaml
# this machine's own connections over its Wi-Fi
netweather record --interface wlan0 --for 10m -o home.yaml
netweather set docker:shop-api --profile home.yaml
"""
_EVERY_S: Final = 1.0


@command_factory.command("record", examples=_EXAMPLES)
@command_factory.argument(
    "target",
    metavar="TARGET",
    required=False,
    complete=completion.targets,
    help="target to measure; default: this machine's own connections",
)
@command_factory.option("--interface", metavar="NAME", help="only connections over this interface (e.g. eth0)")
@command_factory.option("--for", "lasting", metavar="TIME", help="how long to record (e.g. 1h); default: until Ctrl-C")
@command_factory.option("-o", "--output", metavar="FILE", help="the profile to write (e.g. home.yaml)")
@json_option
def command(target: str | None, *, interface: str | None, lasting: str | None, output: str | None, as_json: bool) -> None:
    """Measures the TCP connections of TARGET and writes a profile with the same delay, loss and rate, for `set --profile FILE`.

    It only listens: it sends nothing and changes nothing. It learns round-trip times, losses, bursts of losses and the rate, as
    far as the traffic reveals them. It names what the traffic did not reveal and leaves that out of the profile. Needs root.
    """
    from netweather.connecting import need_root
    from netweather.observation import profile_learning
    from netweather.units import Duration

    file = _file(output)
    if target is None and interface is None:
        why = "without a TARGET, record measures this machine's own connections over one interface"
        raise UsageError("missing-target", "no target and no interface is given", why, "name a TARGET, or an --interface")
    seconds = Duration.parse(lasting).seconds if lasting else None
    need_root()
    begin = datetime.now().astimezone()
    with _opened(target, interface) as recorder:
        _wait(recorder, seconds, quiet=as_json)
        found = profile_learning.line(recorder.read())
    where = " on ".join(word for word in (target or "this machine", interface) if word)
    source = f"recorded from {where}, {begin:%Y-%m-%d %H:%M} to {datetime.now().astimezone():%H:%M}"
    _write(file, found, source)
    if as_json:
        say_json(_plain(found, file))
    else:
        _tell(found, file)


def _file(output: str | None) -> Path:
    """Raises UsageError bad-output, before anything is recorded."""
    path = Path(output or "recorded.yaml")
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(
            "bad-output", f"{output!r} is not the name of a profile file", "it ends in neither .yaml nor .yml", "write home.yaml"
        )
    if not path.parent.is_dir():
        raise UsageError(
            "bad-output", f"{output!r} can't be written", f"the directory {path.parent} does not exist", "create it first"
        )
    return path


def _opened(target: str | None, interface: str | None) -> Recorder:
    from netweather.kernel.namespaces import Namespace
    from netweather.kernel.tracing.link_recorder import Recorder, own_space
    from netweather.targets import complete, resolve

    if target is None:
        return Recorder(own_space(), _ifindex(interface) if interface else 0)
    found = resolve(complete(target))
    try:
        if len(found) != 1:
            names = ", ".join(each.name for each in found)
            raise UsageError("several-targets", f"{target} is {len(found)} targets", names, "name one of them")
        with Namespace(found[0].netns_fd) as inside:
            return Recorder(found[0].ino, inside.run(lambda: _ifindex(interface)) if interface else 0)
    finally:
        for each in found:
            each.close()


def _ifindex(name: str) -> int:
    from netweather.kernel.netlink import links

    device = links.device(name)
    if device is None:
        there = ", ".join(each.name for each in links.devices() if each.name != "lo")
        raise NetweatherError("no-interface", f"the target has no interface {name}", f"it has: {there}", "name one of them")
    return device.ifindex


def _wait(recorder: Recorder, seconds: float | None, *, quiet: bool) -> None:
    """Until the time is over, or Ctrl-C; with what is known meanwhile, where somebody sees it."""
    from netweather.kernel.waiting import pause

    end = time.monotonic() + seconds if seconds is not None else float("inf")
    live = sys.stderr.isatty() and not quiet
    try:
        while (left := end - time.monotonic()) > 0:
            pause(min(_EVERY_S, left))
            if live:
                learnt = recorder.read()
                trips, lost = sum(learnt.first) + sum(learnt.calm) + sum(learnt.busy), max(0, learnt.again - learnt.needless)
                words = f"{learnt.connections:,} connections, {trips:,} round trips, {learnt.sent:,} segments, {lost:,} lost"
                print(f"\r{words}\033[K", end="", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        pass
    if live:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _write(file: Path, found: LearntLine, source: str) -> None:
    """The profile, and beside it the table of its delays. Raises NetweatherError nothing-learnt, unwritable-file."""
    import yaml

    from netweather.conditions.distributions import format_table
    from netweather.observation.profile_learning import profile

    table = file.with_suffix(".dist")
    made = profile(file.stem, found, f"./{table.name}", source)
    try:
        if found.delay is not None and found.delay.table:
            table.write_text(format_table(found.delay.table, f"{source}: delays of one direction"), encoding="utf-8")
        file.write_text(yaml.safe_dump(made, sort_keys=False, allow_unicode=True), encoding="utf-8")
    except OSError as error:
        raise NetweatherError(
            "unwritable-file", f"{file} can't be written", error.strerror or str(error), "check the path"
        ) from error


def _plain(found: LearntLine, file: Path) -> dict[str, Any]:
    delay = found.delay
    return {
        "file": str(file),
        "roundTrips": found.trips,
        "delay": None if delay is None else {"time": str(delay.time), "jitter": str(delay.jitter), "medianRtt": found.median},
        "loss": None if found.loss is None else {"share": found.loss, "meanRun": found.run},
        "rate": None if found.rate is None else str(found.rate),
        "unknown": found.unknown,
    }


def _tell(found: LearntLine, file: Path) -> None:
    from netweather.cli.extras.stats_table import duration

    if found.delay is not None:
        words = {"handshakes": "handshakes'", "calm": "calm connections'", "busy": "busy connections'"}[found.source]
        spread = f" ± {duration(found.delay.jitter.seconds)}" if found.delay.jitter.ns else ""
        whole = f"{found.trips:,} of {words} round trips, {duration(found.median)} in the middle"
        say(f"delay: {duration(found.delay.time.seconds)}{spread} each way; {whole}")
    if found.loss is not None:
        say(f"loss: {100 * found.loss:.3g} % of the segments, {found.run:.3g} in a row")
    if found.rate is not None:
        say(f"rate: {found.rate}")
    for part, why in found.unknown.items():
        say(f"{part}: unknown, {why}")
    say(f"wrote {file}: netweather set TARGET --profile {file}")
