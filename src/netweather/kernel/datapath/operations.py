"""What the seam can be told to do: one small, idempotent step each, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from netweather.kernel.datapath.spec import Datapath, Line, Room, Tables


@dataclass(frozen=True)
class MakeHelper:
    """Make our own namespace for this target."""


@dataclass(frozen=True)
class MakePort:
    """Make the veth pair between the target's namespace (nw0) and ours (nwh), with the programs that steer and return."""

    alias: str


@dataclass(frozen=True)
class LoadClassifier:
    """Load the classifier with room for so much; it takes the place of the one attached, if any, hook by hook."""

    room: Room


@dataclass(frozen=True)
class StartPump:
    """Start the pump, and give it these lines again if they are there."""

    lines: tuple[Line, ...]


@dataclass(frozen=True)
class MakeLine:
    """Make a line: its device, its exit, its way in."""

    line: Line


@dataclass(frozen=True)
class ChangeLine:
    """Write a line's parameters; what is inside stays inside. They are in force when the rules are written."""

    line: Line


@dataclass(frozen=True)
class WriteRules:
    """Write the rule set and switch to it, at once for all traffic."""

    tables: Tables
    leases: tuple[int, ...]
    datapath: Datapath


@dataclass(frozen=True)
class Attach:
    """Hook the classifier into an interface, before every other program there, both directions."""

    interface: str
    ifindex: int


@dataclass(frozen=True)
class Detach:
    """Take the classifier off an interface."""

    interface: str


@dataclass(frozen=True)
class DetachElsewhere:
    """Take the classifier off interfaces that have left the target, wherever they are now."""


@dataclass(frozen=True)
class Lift:
    """End every lease, or those of these slots: from now on no packet meets their rules, whatever is still there."""

    only: frozenset[int] | None = None


@dataclass(frozen=True)
class CloseLine:
    """Let nothing into a line any more; what it holds comes out when it is due. drop: it is dropped now. Does not wait."""

    index: int
    drop: bool = False


@dataclass(frozen=True)
class RemoveLine:
    """Remove the device of a closed line, with whatever it still holds."""

    index: int


@dataclass(frozen=True)
class StopPump:
    """End the pump, whose lines are all closed."""


@dataclass(frozen=True)
class RemoveHelper:
    """Take our own namespace away, and with it all devices that are in it: quicker than one by one."""


@dataclass(frozen=True)
class RemovePort:
    """Return when the veth pair is gone, with our namespace or by itself."""


Operation = (
    MakeHelper
    | MakePort
    | LoadClassifier
    | StartPump
    | MakeLine
    | ChangeLine
    | WriteRules
    | Attach
    | Lift
    | Detach
    | DetachElsewhere
    | CloseLine
    | RemoveLine
    | StopPump
    | RemoveHelper
    | RemovePort
)
