"""The keeper: direct mode's small process per target.

It unmakes a condition when its lease ends or its target is gone, starts a dead pump again, holds the namespace open, and takes
everything away when somebody deletes a device of ours. Everything works without it but for that: the kernel itself enforces
the lease, and the next command sweeps up. Run as `python -m netweather.keeper DEV-INO FD`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from netweather.clock import CLOCK, Clock
from netweather.engine import Engine
from netweather.engine.draining import DRAIN_S, LOOK_S
from netweather.engine.views.reach import covers
from netweather.errors import NetweatherError
from netweather.journal import Entry
from netweather.kernel import keeper_process, namespaces
from netweather.kernel.datapath.spec import NEVER
from netweather.kernel.netlink.links import PORT, LinkEvents, names
from netweather.targets import alive

RETRY_S = 1.0
TURN_S = 0.2
"""How often it looks around; a dead pump is back within two turns and a restart."""


class Keeper:
    """Keeps one target. identity: 'DEV-INO'; fd: its namespace, held until the end.

    linger_s: how long devices are left for the next condition once the last one is cleared. Nothing meets a rule meanwhile.
    """

    def __init__(self, engine: Engine, identity: str, fd: int, linger_s: float = 0.0, clock: Clock = CLOCK) -> None:
        self.engine, self.identity, self.fd, self.linger_s, self.clock = engine, identity, fd, linger_s, clock
        self.namespace = namespaces.Namespace(fd)
        self.directory = engine.journal.directory(identity)
        self.stamp = 0
        self.entry: Entry | None = None
        self.missed = 0
        self._events: LinkEvents | None = None
        self._cleared_at = 0.0
        """When the journal was last written, as far as is known: what clears the last condition writes it last."""

    def run(self) -> None:
        """Until nothing is left to keep. What fails is tried again, whatever it is: nobody else looks after this target."""
        said = ""
        while True:
            try:
                if not self.turn():
                    return
                said = ""
                self.clock.pause(self.pause())
            except Exception as error:
                if said != (said := f"{self.identity}: {error}"):  # once: the log must not fill the disk
                    say(said)
                self.clock.pause(RETRY_S)

    def pause(self, turn_s: float = TURN_S) -> float:
        """Seconds until the next lease ends, or the next look around."""
        if self.entry is None:
            return turn_s
        if self.lingers:
            return self._cleared_at + self.linger_s - self.clock.now()
        if self.entry.draining or not self.entry.conditions:
            turn_s = LOOK_S
        ends = min((c.deadline for c in self.entry.conditions), default=NEVER)
        if ends == NEVER:
            return turn_s
        return min(turn_s, max(0.0, (ends - self.clock.boot_ns()) / 1e9))

    @property
    def lingers(self) -> bool:
        """Whether nothing is in force any more, and the devices are still left for what may come."""
        cleared = self.entry is not None and not self.entry.conditions and not self.entry.draining
        return cleared and self.clock.now() < self._cleared_at + self.linger_s

    def close(self) -> None:
        """Leaves the namespace; its descriptor stays the caller's."""
        if self._events is not None:
            self._events.close()
        self.namespace.close()

    def turn(self) -> bool:
        """One look around. Returns whether there is still something to keep."""
        try:
            entry = self._read()
        except NetweatherError as error:
            if error.code != "broken-journal":
                raise
            return self.engine.expire(self.identity, self.fd)
        if entry is None:  # somebody deleted it, or all of the directory, where nothing is left to keep
            return os.path.lexists(self.directory) and self.engine.expire(self.identity, self.fd)
        now = self.clock.boot_ns()
        if not self._alive(entry) and self.engine.end(self.identity, self.fd, lambda now: not self._alive(now)):
            say(f"{self.identity}: the target was deleted: all conditions end")
            return False
        if self.lingers:
            return True
        if self._broken(entry):
            self.missed += 1
            # Once may be a command at work, and twice two of them: only while nobody works is it certain.
            if self.missed > 1 and self.engine.end(self.identity, self.fd, self._broken):
                say(f"{self.identity}: a Netweather device was deleted: all conditions end")
                return False
        elif entry.state != "made":
            self.missed += 1
        else:
            self.missed = 0
        unfinished = entry.state == "making" and self.missed > 1  # whoever was at work holds the lock, or is dead
        due = any(c.deadline <= now for c in entry.conditions)
        over = not self.engine.drains(self.identity, self.fd) if entry.draining else not entry.conditions
        if due or over or unfinished or self._pump_is_dead(entry) or self._interfaces_changed():
            return self.engine.expire(self.identity, self.fd)
        return True

    def _interfaces_changed(self) -> bool:
        """Whether an interface came, left or was renamed since the last look, or, at the first one, since the command was at work."""
        if self._events is None:
            self._events = self.namespace.run(LinkEvents)
            return not covers(self.engine, self.identity, self.fd)
        return self._events.changed()

    def _read(self) -> Entry | None:
        try:
            stamp = (self.directory / "journal.json").stat().st_mtime_ns
            if stamp != self.stamp or self.entry is None:
                self.entry, self.stamp = self.engine.journal.read(self.identity), stamp
                self._cleared_at = self.clock.now()
        except FileNotFoundError:
            return None
        return self.entry

    def _broken(self, entry: Entry) -> bool:
        """Whether a target that is made has lines, and no way to them."""
        return entry.state == "made" and bool(entry.slots.lines) and not self.namespace.run(lambda: PORT in names())

    def _pump_is_dead(self, entry: Entry) -> bool:
        if all(line.engine == "netem" for line in entry.slots.lines) or entry.state != "made":
            return False
        return not keeper_process.pump_running(self.directory)

    def _alive(self, entry: Entry) -> bool:
        """Whether anybody lives there. Asked again while nobody works: a command may have come for somebody who came back."""
        return alive(entry.target, ignoring={os.getpid()})


def say(text: str) -> None:
    """A line of the keeper's log. It is lost when it can't be written: the log is on a full disk, or closed."""
    if sys.stdout is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Entry point: DEV-INO and the number of the inherited descriptor."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    identity, fd = arguments[0], int(arguments[1])
    os.set_inheritable(fd, False)
    engine = Engine(
        dropped=lambda _, packets: say(f"{identity}: {packets} held packets were dropped {DRAIN_S:g} s after the end")
    )
    with contextlib.suppress(OSError):  # without the right to write nobody can have started another
        if not keeper_process.claim(engine.journal.directory(identity), ""):
            return 0
    Keeper(engine, identity, fd).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
