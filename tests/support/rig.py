"""A lab with a target and an engine of its own: `client` is the target, its state is in a folder that nobody else uses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from netweather.conditions import FOREVER, Condition, Delay, Match, NetworkCondition, PortRange, Rule
from netweather.engine import Engine, recovery
from netweather.engine.draining import DRAIN_S, DrainMode
from netweather.kernel.datapath.pump_process import ProcessHandle
from netweather.kernel.namespace_search import every_namespace
from netweather.results import ConditionStatus, Recovered, SetResult
from netweather.settings import Settings
from netweather.targets import Target, resolve
from netweather.units import Duration
from tests.support import dumps
from tests.support.machine import SLOW
from tests.support.netns import Lab, lab

MS = 1_000_000
SECOND = 1_000_000_000


def until(condition: Callable[[], object], patience: float, what: str) -> float:
    """Waits for a condition; how long it took, in seconds. Raises AssertionError after `patience`, seconds on a usual machine."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < patience * SLOW, f"not within {patience * SLOW:g} s: {what}"
        time.sleep(0.005)
    return time.monotonic() - begin


def at_last(measure: Callable[[], float | None], low: float, high: float) -> float:
    """Measures until a value is below `high`; none may be below `low`. A slow machine makes things late, and never early."""
    begin = time.monotonic()
    while True:
        value = measure()
        assert value is None or value >= low, f"{value}, less than {low}"
        if value is not None and value < high:
            return value
        assert time.monotonic() - begin < 20 * SLOW, f"{value}, never less than {high}"


def delay(ms: float, **more: Any) -> Delay:
    return Delay(Duration(round(ms * MS)), **more)


def rule(condition: Condition | Delay | None = None, priority: int = 0, **match: Any) -> Rule:
    """`rule(delay(20), direction="egress")`"""
    what = Condition(delay=condition) if isinstance(condition, Delay) else condition or Condition()
    return Rule(Match(**match), what, priority)


def ports(*numbers: int) -> tuple[PortRange, ...]:
    return tuple(PortRange(number, number) for number in numbers)


def only_in(patch: pytest.MonkeyPatch, target: Target) -> None:
    """An engine's `recover` looks into this target alone: other tests have theirs on this machine."""
    ours = (target.dev, target.ino)
    patch.setattr(recovery, "every_namespace", lambda _: (one for one in every_namespace() if one[1:3] == ours))


@dataclass
class Rig:
    """A lab, its client as target, and an engine."""

    net: Lab
    state: Path
    hook: str = "auto"
    reference: str = ""
    engine: Engine = field(init=False)
    target: Target = field(init=False)

    def __post_init__(self) -> None:
        self.engine = Engine(Settings(state=self.state, hook=self.hook))
        (self.target,) = resolve(self.reference or f"netns:{self.net.client.name}")

    @property
    def folder(self) -> Path:
        """The target's own state directory."""
        return self.engine.journal.directory(self.target.identity)

    def set(self, *rules: Rule, lease: float | None = None, name: str = "default", **more: Any) -> SetResult:
        """lease: seconds; unless given, for ever."""
        length = FOREVER if lease is None else Duration(round(lease * SECOND))
        return self.engine.set(self.target, NetworkCondition(name=name, rules=rules, lease=length, **more))

    def clear(self, name: str | None = None, held: DrainMode = "wait") -> list[str]:
        """held: what becomes of packets in lines; unless given, everything is as before when this returns."""
        return replace(self.engine, held=held).clear(self.target, name)

    def shown(self) -> ConditionStatus:
        """The only condition in force."""
        (one,) = self.engine.show(self.target)
        return one

    def recover(self, engine: Engine | None = None) -> list[Recovered]:
        """Recovers as the command does. It goes through the whole machine, where other tests have targets: here only through ours."""
        with pytest.MonkeyPatch.context() as patch:
            only_in(patch, self.target)
            return (engine or self.engine).recover()

    def process(self, name: str) -> ProcessHandle | None:
        """The "pump" or "keeper", if it runs."""
        try:
            pid, start = map(int, (self.folder / f"{name}.pid").read_text().split())
        except (OSError, ValueError):
            return None
        found = ProcessHandle(pid, start)
        return found if found.alive else None

    def kill(self, *names: str) -> None:
        """SIGKILL, and wait until they are gone."""
        found = [process for name in names if (process := self.process(name))]
        assert len(found) == len(names), f"not all of {names} run"
        for process in found:
            process.signal(9)
        until(lambda: not any(p.alive for p in found), 20, f"{names} are gone")

    def remains(self) -> list[str]:
        """What of ours can still be found: processes, files, mounts, devices, the helper namespace."""
        found = [f"process {pid}: {command}" for pid, command in _processes(str(self.state))]
        found += [f"file {path}" for path in self.state.rglob("*") if path != self.state / "locks"]
        found += [f"mount of {pid}: {line}" for pid, line in _mounts(str(self.state))]
        return found

    def until_nothing_remains(self) -> None:
        """Waits for what a clear leaves to the keeper: packets that drain, then its own end. Raises AssertionError."""
        until(lambda: not self.remains(), DRAIN_S * 4, "nothing of ours is left")

    def close(self) -> None:
        self.clear(held="drop")
        self.target.close()


def _processes(word: str) -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            words = command + (entry / "environ").read_bytes()
            files = " ".join(os.readlink(path) for path in (entry / "fd").iterdir())
        except OSError:
            continue
        if int(entry.name) != os.getpid() and (word in files or f"NETWEATHER_STATE={word}".encode() in words):
            yield int(entry.name), command.replace(b"\0", b" ").decode()


def _mounts(word: str) -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").glob("[0-9]*/task/*/mountinfo"):
        try:
            lines = entry.read_text().splitlines()
        except OSError:
            continue
        yield from ((int(entry.parent.name), line) for line in lines if word in line)


@contextmanager
def rig(state: Path, *, bystander: bool = False, hook: str = "auto", reference: str = "") -> Iterator[Rig]:
    """A rig, cleared at the end."""
    with lab(bystander=bystander) as net:
        for namespace in net.namespaces:
            dumps.settled(namespace)
        made = Rig(net, state, hook, reference)
        try:
            yield made
        finally:
            made.close()
