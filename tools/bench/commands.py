"""How long the user waits: `set`, a change and `clear` beside tc, and `--help` beside a bare Click program."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from netweather.cli.command_list import COMMANDS
from tests.support import docker as private_docker
from tests.support import owner
from tests.support.docker import Docker
from tools.bench.figures import Row, Rows, at_most, impossible, row
from tools.bench.network import PREFIX, Net, delay, network, rule
from tools.bench.rounds import Plan, interleaved

SECTION = "commands"
PROGRAM = Path(sys.executable).parent / "netweather"
OPERATIONS = {"set": "set", "change": "set, another delay", "clear": "clear"}
QDISCS = {  # the kernel's own way to delay; where there is no netem, something that is as much work to make
    "netem": ("netem delay 50ms", "netem delay 80ms"),
    "tbf": ("tbf rate 1gbit burst 64kb latency 50ms", "tbf rate 2gbit burst 64kb latency 50ms"),
}
TC_IMAGE = "nwb-tc"
PAUSE_S = 0.5
Times = dict[str, float]


def surroundings(**more: str) -> dict[str, str]:
    """Environment variables: these and more, but Python keeps what it compiled, as it does for users."""
    return {name: value for name, value in {**os.environ, **more}.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Way:
    """Three commands that do the three operations. pause: before a change and a clear, so that what `set` started has come to rest."""

    commands: dict[str, Sequence[str]]
    environment: dict[str, str] = field(default_factory=surroundings)
    pause: float = 0.0

    def times(self) -> Times:
        """ms of each. Raises RuntimeError with what a command that failed said."""
        found = {}
        for name in OPERATIONS:
            time.sleep(self.pause if name != "set" else 0)
            found[name] = timed(self.commands[name], self.environment)
        return found


def timed(command: Sequence[str], environment: dict[str, str] | None = None) -> float:
    environment = environment or surroundings()
    begin = time.perf_counter()
    result = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    took = time.perf_counter() - begin
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {result.returncode}: {(result.stderr or result.stdout).strip()[-300:]}")
    return took * 1000


def run(plan: Plan) -> Rows:
    with network() as net:
        qdisc = _qdisc(net)
        inside = ("nsenter", f"--net={net.client.path}")
        measures: dict[str, Callable[[], Times]] = {
            "netweather": _netweather(net, net.reference).times,
            "engine": lambda: _in_one_process(net),
            "tc": Way(_tc(inside, qdisc)).times,
        }
        found = interleaved(plan, "set, change, clear", measures)
        for name, what in (("netweather", "the command line, netns:"), ("engine", "the engine, in one process")):
            yield from _rows(what, found[name], f"nsenter tc {qdisc}", found["tc"])
        yield from _beside_a_sidecar(net, plan, qdisc)


def _rows(what: str, times: list[Times], word: str, baseline: list[Times]) -> Iterator[Row]:
    for operation, name in OPERATIONS.items():
        beside = (word, [each[operation] for each in baseline])
        yield row(SECTION, f"{name}: {what}", "ms", [each[operation] for each in times], beside)


def _netweather(net: Net, reference: str, **more: str) -> Way:
    settings = surroundings(NETWEATHER_STATE=str(net.state), **more)
    put = [str(PROGRAM), "set", reference, "--for", "5m", "--delay"]
    return Way({"set": [*put, "50ms"], "change": [*put, "80ms"], "clear": [str(PROGRAM), "clear", reference]}, settings, PAUSE_S)


def _tc(inside: Sequence[str], qdisc: str) -> dict[str, Sequence[str]]:
    first, second = (words.split() for words in QDISCS[qdisc])
    tc = [*inside, "tc", "qdisc"]
    place = ["dev", "eth0", "root"]
    return {"set": [*tc, "add", *place, *first], "change": [*tc, "change", *place, *second], "clear": [*tc, "del", *place]}


def _qdisc(net: Net) -> str:
    """netem, where the kernel has it."""
    place = ("tc", "qdisc", "add", "dev", "eth0", "root")
    for name, (words, _) in QDISCS.items():
        if net.client.run(*place, *words.split(), check=False).returncode == 0:
            net.client.run("tc", "qdisc", "del", "dev", "eth0", "root")
            return name
    raise RuntimeError("this kernel has neither netem nor tbf")


def _in_one_process(net: Net) -> Times:
    """The same three without starting Python: what a test or the agent pays."""
    found = {}
    for name in OPERATIONS:
        begin = time.perf_counter()
        if name == "clear":
            net.clear()
        else:
            net.put(rule(delay(50 if name == "set" else 80)))
        found[name] = (time.perf_counter() - begin) * 1000
        time.sleep(PAUSE_S)
    return found


# beside a container that runs tc in the target's namespace


def _beside_a_sidecar(net: Net, plan: Plan, qdisc: str) -> Iterator[Row]:
    what = "the command line, docker:"
    if why := private_docker.missing():
        yield from (impossible(SECTION, f"{name}: {what}", why) for name in OPERATIONS.values())
        return
    with ExitStack() as stack:
        plan.tell("starting a Docker of our own")
        docker = stack.enter_context(private_docker.daemon())
        _import_tc(docker)
        container = stack.enter_context(docker.container(name=f"nwb-{os.getpid()}"))
        sidecar = ["docker", "run", "--rm", f"--net=container:{container}", "--cap-add=NET_ADMIN", TC_IMAGE]
        measures = {
            "netweather": _netweather(net, f"docker:{container}", **docker.environment).times,
            "sidecar": Way(_tc(sidecar, qdisc), docker.environment).times,
        }
        found = interleaved(plan, "a container", measures)
    yield from _rows(what, found["netweather"], f"docker run, tc {qdisc}", found["sidecar"])


def _import_tc(docker: Docker) -> None:
    """An image of this machine's tc and its libraries."""
    tc = subprocess.run(["which", "tc"], capture_output=True, text=True, check=True).stdout.strip()
    listed = subprocess.run(["ldd", tc], capture_output=True, text=True, check=True).stdout
    libraries = [word for word in listed.split() if word.startswith("/")]
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        with tarfile.open(file.name, "w", dereference=True) as tar:
            tar.add(tc, "bin/tc")
            for library in libraries:
                tar.add(library, library.lstrip("/"))
        docker("import", file.name, TC_IMAGE)


# --help

BARE = """#!{python}
import click


@click.group(help="A program.")
def app():
    pass

{commands}
if __name__ == "__main__":
    app()
"""
COMMAND = '''
@app.command("{name}")
@click.argument("target")
@click.option("--name", default="default", help="the name")
def command_{number}(target, name):
    """{summary}"""
'''


@contextmanager
def bare_program() -> Iterator[Path]:
    """A Click program with as many commands as Netweather has, which do nothing."""
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{owner.tag()}-") as folder:
        bare = Path(folder, "bare")
        commands = (COMMAND.format(name=c.name, number=i, summary=c.summary) for i, c in enumerate(COMMANDS))
        bare.write_text(BARE.format(python=sys.executable, commands="\n".join(commands)))
        bare.chmod(0o755)
        yield bare


def run_help(plan: Plan) -> Rows:
    """`netweather --help` beside a Click program with as many commands that do nothing."""
    with bare_program() as bare:
        measures = {
            "netweather": lambda: timed([str(PROGRAM), "--help"]),
            "bare": lambda: timed([str(bare), "--help"]),
            "python": lambda: timed([sys.executable, "-c", ""]),
        }
        found = interleaved(plan, "--help", measures, plan.many(2))
    note = f"Python by itself: {min(found['python']):.0f} ms"
    beside = (f"bare Click, {len(COMMANDS)} commands", found["bare"])
    yield row("help", "`netweather --help`", "ms", found["netweather"], beside, goal=at_most(1.5), note=note)
