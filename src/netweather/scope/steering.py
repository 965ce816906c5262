"""A button that was pressed: whose container, what it had, what it gets. Not here: HTTP (app), and how long may be waited (app).

What a container has is asked each time: nothing is remembered that somebody else could have changed. Pressing again renews the lease.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from netweather.conditions import NetworkCondition
from netweather.errors import NetweatherError, UsageError
from netweather.results import Cleared
from netweather.scope.buttons import NAME, SUFFIX, Button, wish_of
from netweather.scope.picture import Painter
from netweather.service import Service
from netweather.targets.census import Container
from netweather.units import Duration

LOG: Final = logging.getLogger("netweather.scope")


@dataclass(frozen=True, eq=False)
class Pressed:
    """A button that was pressed. turn: set when nothing pressed before it is still to be done."""

    container: Container
    control: Button
    turn: threading.Event = field(default_factory=threading.Event)

    @property
    def network(self) -> str:
        return self.container.identity or self.container.id


@dataclass
class Steering:
    """lease: of all that it sets. notes: by a container's id, what is to be known of its last button; shown until the next."""

    service: Service
    painter: Painter
    controls: Mapping[str, Button]
    lease: Duration
    owner: str = ""
    notes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[str, deque[Pressed]] = {}

    def container(self, node: str) -> Container:
        """The container of Scope's node. Raises UsageError(code="bad-node"), NetweatherError(code="unknown-container")."""
        if not node.endswith(SUFFIX):
            raise UsageError(
                "bad-node", f"{node[:100]!r} is not a container's node", f"the suffix {SUFFIX!r} is missing", "choose a container"
            )
        wanted = node.removesuffix(SUFFIX)
        found = next((each for each in self.painter.picture.containers if each.id == wanted), None)
        if found is None:
            raise NetweatherError(
                "unknown-container",
                f"the container {wanted[:64]!r} is not found",
                "it was removed, or is not on this host",
                "look again in a moment",
            )
        return found

    def control(self, id: str) -> Button:  # noqa: A002 - Scope's word
        """The button of that id. Raises UsageError(code="unknown-control")."""
        if id not in self.controls:
            raise UsageError("unknown-control", f"the plugin has no control {id[:100]!r}", "", "use one that the report lists")
        return self.controls[id]

    def asked(self, container: Container, control: Button) -> Pressed:
        """A button was pressed: its turn comes after those pressed before on the same network, and the note says so until then."""
        pressed = Pressed(container, control)
        with self._lock:
            self.notes[container.id] = f"{control.human}: being set"
            queue = self._queues.setdefault(pressed.network, deque())
            queue.append(pressed)
            queue[0].turn.set()
        return pressed

    def press(self, pressed: Pressed) -> None:
        """Carries it out when its turn comes, and returns when the kernel holds it. Raises NetweatherError; all is as it was then."""
        pressed.turn.wait()
        container, control, note = pressed.container, pressed.control, ""
        try:
            note = self._change(container, control)
            self.painter.look_at(container)
        except (NetweatherError, OSError) as error:
            note = f"{control.human}: {one_line(error)}"
            LOG.warning("%s: %s", container.name, note)
            raise
        finally:
            self._done(pressed, note)

    def _done(self, pressed: Pressed, note: str) -> None:
        id, network = pressed.container.id, pressed.network  # noqa: A001 - Docker's word
        with self._lock:
            queue = self._queues[network]
            queue.popleft()
            if queue:
                queue[0].turn.set()
            else:
                del self._queues[network]
            if any(each.container.id == id for each in queue):
                return  # the note is of those
            if note:
                self.notes[id] = note
            else:
                del self.notes[id]

    def _change(self, container: Container, control: Button) -> str:
        """Returns what is to be known of it."""
        reference = container.reference
        if control.whole:
            _cleared(self.service.clear([reference]))
            return ""
        shown = self.service.show([reference])
        before = next((each.condition for each in shown if each.condition.name == NAME), None)
        rules = control.change(wish_of(before)).rules()
        if not rules:
            if before is not None:
                _cleared(self.service.clear([reference], NAME))
            return ""
        reason = f"Weave Scope: {control.human}"
        wanted = NetworkCondition(NAME, (reference,), self.lease, rules, owner=self.owner, reason=reason)
        (done,) = self.service.set([wanted])
        return "; ".join(done.notes)


def _cleared(answers: list[Cleared]) -> None:
    for each in answers:
        if each.problem is not None and getattr(each.problem, "code", "") != "no-such-condition":  # its lease has just ended
            raise each.problem


def one_line(error: NetweatherError | OSError) -> str:
    """An error as Scope can show it."""
    if not isinstance(error, NetweatherError):
        return str(error)
    parts = (error.what, error.why, f"remedy: {error.remedy}" if error.remedy else "")
    return f"{'; '.join(part.replace(chr(10), '; ') for part in parts if part)} [{error.code}]"
