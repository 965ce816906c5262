"""Where a command runs when its network is to be bad: here, with the networks of named targets; or in a network of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from netweather.connecting import need_root
from netweather.engine import Engine
from netweather.errors import NetweatherError, UsageError
from netweather.host import user_command
from netweather.host.enclosure import Enclosure, ReachedService, resolve
from netweather.host.user_command import RunningCommand
from netweather.service import LocalService, Service
from netweather.settings import Settings


class Start(Protocol):
    """Starts a command: its words, its environment, and a file for what it prints (None: it has our terminal)."""

    def __call__(
        self, command: Sequence[str], environment: Mapping[str, str], output: int | None = None, /
    ) -> RunningCommand: ...


@dataclass(frozen=True)
class Spot:
    """A place that is ready. targets: whose networks are changed, and `service` by whom; words: what people call them."""

    targets: tuple[str, ...]
    service: Service
    start: Start
    words: str = ""


class Place(Protocol):
    """Makes a spot for one run, and takes away what it made."""

    def open(self) -> AbstractContextManager[Spot]: ...


@dataclass(frozen=True)
class Here:
    """The command runs where we are; the networks of targets are changed."""

    targets: tuple[str, ...]
    service: Service

    @contextmanager
    def open(self) -> Iterator[Spot]:
        yield Spot(self.targets, self.service, user_command.start, ", ".join(self.targets))


@dataclass(frozen=True)
class Own:
    """The command has a network of its own, from which it reaches this machine's services (needs root).

    reach: HOST:PORT, what else it reaches by TCP; localhost: that name means this machine.
    """

    reach: tuple[str, ...] = ()
    localhost: bool = False

    @contextmanager
    def open(self) -> Iterator[Spot]:
        need_root()
        ways = [way(each) for each in self.reach]
        try:
            enclosure = Enclosure(ways, localhost=self.localhost).__enter__()
        except OSError as error:
            why, remedy = str(error), "in a container, run it with --privileged; `netweather doctor` says what is missing"
            raise NetweatherError("no-own-network", "a network for the command could not be created", why, remedy) from error
        with enclosure:
            engine = Engine(Settings.load(), held="drop")  # when it clears, the command has ended
            yield Spot((enclosure.reference,), LocalService(engine), enclosure.start, "the command's own network")


def way(words: str) -> ReachedService:
    """HOST:PORT, looked up. Raises UsageError(code="bad-reach"); NetweatherError(code="unknown-reach")."""
    host, _, port = words.rpartition(":")
    if not host or ":" in host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError("bad-reach", f"{words!r} is not HOST:PORT", "a host and a port are needed", "write db.example.org:5432")
    address = resolve(host)
    if not address:
        raise NetweatherError("unknown-reach", f"{host!r} has no IPv4 address", "this machine can't look it up", "check the name")
    return ReachedService("" if address == host else host, address, int(port))
