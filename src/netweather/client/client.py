"""The client: what a program may ask of an agent, over its Unix socket or over HTTPS. Not here: what calls mean (calls).

Most of what it needs is imported when it is called: a command line asks once, and imports would take longer than that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, Self, TypeVar

from netweather.client import calls
from netweather.errors import NetweatherError, UsageError
from netweather.host.unix_http import UnixHttp

if TYPE_CHECKING:
    from netweather.client.calls import Call
    from netweather.conditions import NetworkCondition
    from netweather.conditions.partitions import TargetGroup
    from netweather.conditions.scenario import Scenario
    from netweather.engine import SocketFilter, TargetSockets
    from netweather.engine.draining import DrainMode
    from netweather.engine.verification import ProgressCallback, VerifyOptions
    from netweather.engine.views.socket_stats import CounterSelection, Stats
    from netweather.measure import ConditionEvidence
    from netweather.results import Cleared, ConditionStatus, SetOutcome

T = TypeVar("T")
_UNIX: Final = "unix://"


class Http(Protocol):
    """A way to an agent: UnixHttp, or Https."""

    def connect(self) -> None: ...
    def request(self, method: str, target: str, body: bytes | None, patience_s: float) -> tuple[int, bytes]: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Where:
    """Where an agent is. address: unix:///PATH or https://HOST[:PORT]. token: over https. ca: the file of who signed it, or ""."""

    address: str
    token: str = ""
    ca: str = ""

    def __post_init__(self) -> None:
        """Raises UsageError(code="bad-agent-address")."""
        if not self.path and not self.address.startswith("https://"):
            why = "an agent is reached by its Unix socket, or over TLS"
            raise UsageError(
                "bad-agent-address",
                f"{self.address!r} is not the address of an agent",
                why,
                "write unix:///run/netweather/agent.sock or https://HOST:8753",
            )

    @property
    def path(self) -> str:
        """Of the socket; "" of an address elsewhere."""
        return self.address.removeprefix(_UNIX) if self.address.startswith(_UNIX) else ""

    def failed(self, error: Exception) -> NetweatherError:
        """Nothing came back."""
        why = str(error) or type(error).__name__
        return NetweatherError(
            "agent-unreachable", f"the agent at {self.address} does not answer", why, "start it: sudo netweather agent"
        )


class Client:
    """An agent, from a program's point of view. Blocking; a context manager. Every method raises the agent's NetweatherError.

    address: unix:///PATH or https://HOST[:PORT]. token, ca: over https. profiles: YAML files and folders of the caller's
    own profiles. All three: see `settings`.
    """

    def __init__(self, address: str, *, token: str = "", ca: str = "", profiles: Iterable[Path] = ()) -> None:
        self.profiles = tuple(profiles)
        self.where = Where(address, token, ca)
        self._http: Http = UnixHttp(Path(self.where.path)) if self.where.path else _https(self.where)

    def answers(self) -> bool:
        """Whether an agent listens on the Unix socket, and lets this process ask. Opens the connection that the next call takes."""
        try:
            self._http.connect()
        except OSError:
            return False
        return True

    def set(
        self,
        conditions: Sequence[NetworkCondition],
        *,
        dry_run: bool = False,
        host: bool = False,
        verify: bool = False,
        progress: ProgressCallback | None = None,
    ) -> list[SetOutcome]:
        """Puts conditions in force on the targets that they name: all, or none. host: the target `host` is meant.

        verify: each is measured; when one does not hold, all is as before, and it is not-proved.
        """
        if verify and progress is not None:
            progress(0.0, "measured by the agent")
        sent = as_sent(conditions, self.where, self.profiles)
        return self._send(calls.set_conditions(sent, dry_run=dry_run, host=host, verify=verify))

    def partition(
        self, groups: Sequence[TargetGroup], template: NetworkCondition, *, one_way: bool = False, dry_run: bool = False
    ) -> list[SetOutcome]:
        """Separates groups of targets, on all or on none. template: name, lease, owner and the one rule of its conditions."""
        return self.set(parted(groups, template, one_way=one_way), dry_run=dry_run)

    def show(self, references: Sequence[str] = (), *, lived: bool = False) -> list[ConditionStatus]:
        """The conditions in force on these targets, or on all of the agent's machine.

        lived: with what the connections of each rule lived through.
        """
        return self._send(calls.show(references, lived=lived))

    def clear(
        self, references: Sequence[str] = (), name: str | None = None, owner: str | None = None, *, held: DrainMode = "drain"
    ) -> list[Cleared]:
        """Ends conditions: on these targets or all, of this name and owner or all. Traffic is normal on return.

        held: what becomes of packets that emulated links hold: "drain" lets them out later, for 10 s at most; "wait" returns
        when that is done, "drop" drops them. With both, all devices are removed on return.
        """
        return self._send(calls.clear(references, name, owner, held))

    def complete(self, reference: str) -> str:
        """The reference with an id in full in place of its beginning, as a command line takes it."""
        return self._send(calls.complete(reference))

    def verify(
        self, reference: str, wish: VerifyOptions | None = None, progress: ProgressCallback | None = None
    ) -> list[ConditionEvidence]:
        """The evidence for a target's conditions."""
        if progress is not None:
            progress(0.0, "measured by the agent")
        return self._send(calls.verify(reference, wish))

    def connections(self, reference: str, which: SocketFilter | None = None) -> list[TargetSockets]:
        """The connections of each target that is named: how they fare, whose they are, which rules they meet."""
        return self._send(calls.connections([reference], which))

    def reset(self, reference: str, which: SocketFilter, *, host: bool = False) -> list[TargetSockets]:
        """Ends connections, and returns those. host: the target `host` is meant."""
        return self._send(calls.reset([reference], which, host=host))

    def stats(self, reference: str, wanted: CounterSelection | None = None) -> Stats:
        """Begins to count what the sockets of each target that is named do; the caller closes it."""
        from netweather.client.stats_reader import RemoteStats

        begun = self._send(calls.begin_stats(reference, wanted))
        return RemoteStats(
            begun, lambda number: self._send(calls.read_stats(number)), lambda number: self._send(calls.end_stats(number))
        )

    def run_scenario(self, scenario: Scenario, heard: Callable[[str, dict[str, Any]], None] | None = None) -> dict[str, Any]:
        """Begins to play a scenario; returns its document when the first moment is in force. heard: nothing, see `/v1/events`."""
        from netweather.conditions.embedding import own_profiles
        from netweather.conditions.scenario import embedded_scenario

        return self._send(calls.run_scenario(embedded_scenario(scenario, own_profiles(self.profiles))))

    def turn_scenario(self, name: str, how: Literal["pause", "resume", "stop"]) -> dict[str, Any]:
        """Holds a scenario, goes on with it, or ends it."""
        return self._send(calls.turn_scenario(name, how))

    def scenarios(self, name: str | None = None) -> list[dict[str, Any]]:
        """The scenarios of the agent, or one, with where each stands."""
        return self._send(calls.scenarios(name))

    def look(self, path: str) -> Any:
        """What the API says of health, targets, profiles or doctor, as it comes."""
        return self._send(calls.plain(path))

    def _send(self, call: Call[T]) -> T:
        try:
            status, content = self._http.request(call.method, call.target, call.body, call.patience_s)
        except OSError as error:
            raise self.where.failed(error) from error
        return calls.answered(call, status, content)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def parted(groups: Sequence[TargetGroup], template: NetworkCondition, *, one_way: bool) -> tuple[NetworkCondition, ...]:
    """The conditions of a partition. Raises UsageError bad-partition, repeated-member."""
    from netweather.conditions.partitions import partition

    return partition(groups, template, one_way=one_way)


def as_sent(conditions: Sequence[NetworkCondition], where: Where, profiles: Iterable[Path]) -> list[NetworkCondition]:
    """Without files; and on this very host without the caller's own SSH session, which the agent can't know of."""
    from netweather.conditions.embedding import embedded, own_profiles

    own = own_profiles(profiles)
    whole = [embedded(each, own).condition for each in conditions]
    return [_spared(each) if where.path and "host" in each.targets else each for each in whole]


def _spared(condition: NetworkCondition) -> NetworkCondition:
    from netweather.engine.safety import spare_own_session

    return spare_own_session(condition, os.environ)


def _https(where: Where) -> Http:
    from netweather.client.https import Https

    return Https(where)
