"""The seam's real side: observes one target and applies operations to it.

Everything it needs to know is read from the kernel each time; what it keeps between calls is only open descriptors.
"""

# long: one class, whose parts share open descriptors

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Self

from netweather.errors import NetweatherError
from netweather.kernel import namespaces
from netweather.kernel.bpf.hooks import Clsact, Hook, Tcx, best_hook
from netweather.kernel.datapath import interfaces, moved_interfaces, plumbing
from netweather.kernel.datapath import pump_process as pump
from netweather.kernel.datapath.classifier import STALE_NS, Classifier
from netweather.kernel.datapath.operations import (
    Attach,
    ChangeLine,
    CloseLine,
    Detach,
    DetachElsewhere,
    Lift,
    LoadClassifier,
    MakeHelper,
    MakeLine,
    MakePort,
    Operation,
    RemoveHelper,
    RemoveLine,
    RemovePort,
    StartPump,
    StopPump,
    WriteRules,
)
from netweather.kernel.datapath.plumbing import Plumbing, line_number
from netweather.kernel.datapath.pump_file import ParamsFile
from netweather.kernel.datapath.spec import DIRECTIONS, MAX_LEASES, NEVER, Line, LineCounts, Observed, Room
from netweather.kernel.netlink import links
from netweather.kernel.netlink.netem_attributes import Netem
from netweather.kernel.sockets.surroundings import Surroundings, surroundings
from netweather.kernel.waiting import pause

Load = Callable[[Room, Classifier | None], Classifier]
UNDER_WAY_S = 0.02
"""After a rule is gone, the last packet that met it has reached its line by then."""
PASSING_S = 0.02
"""How long a packet may be under way between a netem and the target."""
PUMP_OUTLIVES_NS = 60 * 10**9
"""So long after the last lease a pump ends by itself when everybody is dead who would have ended it at once."""


class RealTarget:
    """One target's namespace and ours beside it.

    fd: the target's namespace. directory: the target's state directory, which holds the pump's socket, its parameters and the
    mount of our own namespace. hook: tcx or clsact, or None for the best there is. Not thread-safe: the journal's lock
    serialises its users. load: what loads a classifier.
    """

    def __init__(self, fd: int, directory: Path, hook: str | None = None, load: Load = Classifier.load) -> None:
        self.namespace, self._load = namespaces.Namespace(fd), load
        self.directory = directory
        self.hook: Hook = Clsact() if hook == "clsact" else Tcx() if hook == "tcx" else best_hook()
        self.ways = Plumbing(self.namespace, directory / "netns")
        self._classifier: Classifier | None = None
        self._params: ParamsFile | None = None
        self._shapers: list[int] = []
        self._switched = time.monotonic()  # when packets last changed their way
        self._closing = False  # a line was closed: what left it last may still be under way
        self._untaken = False  # parameters that the pump may not have seen yet

    # observe

    def observe(self) -> Observed:
        """What is there now, read from the kernel."""
        return self.namespace.run(self._observe)

    def _observe(self) -> Observed:
        devices = links.devices()
        sorted_out = interfaces.sort_out(devices)
        self._shapers = [d.ifindex for d in devices if d.kind == "ifb"]
        self._forget_what_is_gone()
        # lo has none of ours; nw0 has only nw_return.
        classifier, places, others = self._find_classifier([d.ifindex for d in devices if d.ifindex > 1])
        if classifier is not self._classifier:
            self._forget_classifier()
            self._classifier = classifier
        covered = classifier.covered() if classifier else {}
        complete = {i for i, found in places.items() if len(found) == len(DIRECTIONS) and covered.get(i) is not None}
        whole, broken, inner_faults = self.ways.lines()
        port = next((d for d in devices if d.name == links.PORT and d.ours), None)
        faults = (*self.ways.port_faults(port), *inner_faults) if port is not None else ()
        return Observed(
            interfaces=tuple((d.name, d.ifindex) for d in sorted_out.covered),
            left_out=sorted_out.left_out,
            layer3=sorted_out.layer3,
            forwards=sorted_out.forwards,
            helper=self.ways.mounted,
            port=port is not None and not faults,
            port_faults=faults,
            classifier=classifier.room if classifier and classifier.whole else None,
            rules=classifier.digest if classifier else None,
            leases=classifier.leases(MAX_LEASES) if classifier else (),
            attached=frozenset(d.name for d in devices if d.ifindex in complete),
            half_attached=frozenset(d.name for d in devices if d.ifindex in (places.keys() | others) - complete),
            left=None in covered.values(),
            lines=whole,
            broken=broken,
            pump=self.pump_beats(),
            alive=self._is_alive(has_way=port is not None or bool(whole | broken)),
            hook=self.hook.name,
            hidden=interfaces.hidden(self.hook, sorted_out.covered, classifier.programs if classifier else {}),
            down=frozenset(d.name for d in devices if not d.up),
            cookie=self.namespace.cookie,
        )

    def _find_classifier(self, ifindexes: list[int]) -> tuple[Classifier | None, dict[int, set[str]], set[int]]:
        """Where it is attached decides, whatever we were told: of a lost journal, the hook is not known.

        Returns what `Classifier.attached` does.
        """
        inode, others = self.namespace.identity[1], set[int]()
        for hook in (self.hook, Clsact() if self.hook.name == "tcx" else best_hook()):
            classifier, places, more = Classifier.attached(hook, ifindexes, inode, self._classifier)
            others |= more
            if classifier is not None:
                self.hook = hook
                return classifier, places, others
        return self._departed(), {}, others

    def _departed(self) -> Classifier | None:
        """The classifier, when all of its interfaces have left; one of which interfaces are still here was detached."""
        found = Classifier.by_ids(moved_interfaces.remembered(self.directory), self.namespace.identity[1])
        if found is not None and None not in found.covered().values():
            found.close()
            return None
        return found

    def _is_alive(self, *, has_way: bool) -> bool:
        if self._classifier is None:
            return False
        now = namespaces.boot_ns()
        beats = now - self._classifier.beat_ns < STALE_NS
        return any(lease > now for lease in self._classifier.leases(MAX_LEASES)) and (beats or not has_way)

    def pump_beats(self) -> bool:
        """Whether the pump of this classifier is alive: it runs, and its heart beat a moment ago."""
        if self._classifier is None or self.pump_process() is None:
            return False
        return namespaces.boot_ns() - self._classifier.beat_ns < STALE_NS

    def pump_process(self) -> pump.ProcessHandle | None:
        """The running pump of this target, or None."""
        try:
            pid, start = (int(word) for word in (self.directory / "pump.pid").read_text().split())
        except (OSError, ValueError):
            return None
        process = pump.ProcessHandle(pid, start)
        return process if process.alive else None

    # apply

    def apply(self, operation: Operation) -> None:
        """Does one operation. Raises NetweatherError or OSError; the operation is then not done or partly done."""
        self._apply(operation)
        if isinstance(operation, WriteRules | Attach | Lift | Detach):
            self._switched = time.monotonic()

    def _apply(self, operation: Operation) -> None:  # long: one case for each operation  # noqa: PLR0915 - as many statements
        match operation:
            case MakeHelper():
                self.ways.make_helper()
            case MakePort(alias=alias):
                self.ways.make_port(alias)
                self._tell_port()
            case LoadClassifier(room=room):
                kept, self._classifier = self._classifier, None
                self._classifier = self._load(room, kept)
                self._classifier.set_namespace(self.namespace.identity[1])
                moved_interfaces.remember(self.directory, self._classifier.ids)
                self._tell_port()
                if kept:
                    kept.close()
            case StartPump(lines=lines):
                self._start_pump(lines)
            case MakeLine(line=line) | ChangeLine(line=line) if line.engine == "netem":
                if isinstance(operation, MakeLine):
                    self.ways.make_room(line)
                plumbing.make_line(self.ways, line)
            case MakeLine(line=line):
                self._close_in_pump(line.index, drop=True)
                self.ways.make_room(line)
                self._give_line(line)
                self.ways.connect_line(line)
            case ChangeLine(line=line):
                self.params.write_line(line.index, line.parameters, dict(line.tables))
                self._untaken = True
                self.ways.set_destination(line)
            case WriteRules(tables=tables, datapath=datapath, leases=leases):
                self._let_pump_take()
                if any(line.engine == "pump" for line in datapath.lines):
                    self._bound_pump(leases)
                self._need_classifier().write(tables, datapath, self.namespace.run, self._shapers)
            case Attach(ifindex=ifindex):
                self.namespace.run(lambda: self._attach(ifindex))
            case Lift(only=only):
                left = enumerate(self._need_classifier().leases(MAX_LEASES))
                self._need_classifier().set_leases(tuple(0 if only is None or slot in only else lease for slot, lease in left))
            case Detach(interface=name):
                self.namespace.run(lambda: self._detach(name))
            case DetachElsewhere():
                classifier = self._need_classifier()
                moved_interfaces.detach_elsewhere(self.hook, classifier.ids, self.namespace.identity)
                classifier.forget_departed()
            case CloseLine(index=index, drop=drop):
                self._close_line(index, drop=drop)
            case RemoveLine(index=index):
                self.ways.remove_line(index)
            case StopPump():
                self._stop_pump()
            case RemoveHelper():
                self.ways.remove_helper()
            case RemovePort():
                self.ways.remove_port()

    @property
    def params(self) -> ParamsFile:
        if self._params is None:
            self._params = ParamsFile(self.directory / "params")
        return self._params

    def _need_classifier(self) -> Classifier:
        if self._classifier is None:
            raise NetweatherError("no-classifier", "the classifier is not loaded", "", "run `netweather recover`")
        return self._classifier

    def _tell_port(self) -> None:
        """Tells the classifier which device leads to our namespace."""
        port = self.ways.port()
        if self._classifier and port:
            self._classifier.set_port(port.ifindex)

    def _start_pump(self, lines: tuple[Line, ...]) -> None:
        classifier = self._need_classifier()
        self._stop_pump()
        self._forget_params()
        pump.renew(self.directory / "params")
        self._bound_pump(classifier.leases(MAX_LEASES))  # none yet, at a first start
        pump.start(self.directory, self.directory / "params", classifier.maps["beat"].fd, pump_cpu())
        for line in lines:
            self._give_line(line)

    def _bound_pump(self, leases: tuple[int, ...]) -> None:
        """When the pump ends by itself: only if nobody is left who would end it sooner, and let out what is inside."""
        last = max(leases, default=0)
        self.params.set_deadline(0 if last in (0, NEVER) else last + PUMP_OUTLIVES_NS)

    def _give_line(self, line: Line) -> None:
        self.params.write_line(line.index, line.parameters, dict(line.tables))
        fd = self.ways.open_line(line.index)
        try:
            with pump.PumpControl(self.directory) as control:
                control.add(line.index, fd)
        finally:
            os.close(fd)

    def _let_pump_take(self) -> None:
        if self._untaken:
            with pump.PumpControl(self.directory) as control:
                control.ping()
            self._untaken = False

    def _attach(self, ifindex: int) -> None:
        classifier = self._need_classifier()
        self.hook.attach(ifindex, "ingress", classifier.programs["nw_ingress"])
        self.hook.attach(ifindex, "egress", classifier.programs["nw_egress"])

    def _detach(self, name: str) -> None:
        if (device := links.device(name)) is None:
            return
        for direction in ("egress", "ingress"):
            for program in self.hook.programs(device.ifindex, direction):
                if program.name == f"nw_{direction}":
                    self.hook.detach(device.ifindex, direction, program)
                program.close()

    def _close_line(self, index: int, *, drop: bool) -> None:
        pause(max(0.0, self._switched + UNDER_WAY_S - time.monotonic()))
        self._closing = True
        self.ways.set_entry(index, 0)
        self._close_in_pump(index, drop=drop)
        if drop:
            plumbing.drop(self.ways, index)

    def _close_in_pump(self, index: int, *, drop: bool) -> None:
        """A pump that has the line delivers what is inside, or drops it, and closes its TAP, which can be open once only."""
        with contextlib.suppress(OSError), pump.PumpControl(self.directory) as control:  # without a pump nothing waits
            control.remove(index, drop=drop)

    def _stop_pump(self) -> None:
        if (process := self.pump_process()) is not None:
            pump.stop(process)
        pump.forget(self.directory)

    # read

    def ways_out(self, addresses: Iterable[str]) -> dict[str, int]:
        """The index of the interface by which packets to each address leave."""
        return self.namespace.run(lambda: links.ways_out(addresses))

    def counters(self, slots: list[int]) -> dict[int, tuple[int, int, int]]:
        """(packets, bytes, dropped) of each counter."""
        if self._classifier is None:
            return dict.fromkeys(slots, (0, 0, 0))
        return self._classifier.counters(slots)

    def reset_counters(self, slots: list[int]) -> None:
        """Counters of new rules begin at zero."""
        self._need_classifier().reset_counters(slots)

    def differences(self, operation: WriteRules) -> list[str]:
        """What the kernel holds that is not what was written; empty: all of it is."""
        wrong = self._need_classifier().differences(operation.tables, operation.datapath)
        return wrong + plumbing.differences(self.ways, operation.datapath.lines)

    def unwanted_drops(self) -> int:
        """Packets that our own devices, or the pump, dropped and nobody asked for."""
        devices = self.ways.line_devices() if self.ways.mounted else []
        return self.ways.dropped() + sum(self.params.unwanted(line_number(d)) for d in devices if d.kind != "veth")

    def line_counts(self, pumped: Iterable[int], *, netem: bool) -> dict[int, LineCounts]:
        """What these lines of a pump have done to packets since they were made, and the kernel's netems if they are asked for."""
        found = {}
        if self._params is not None or (self.directory / "params").exists():
            found = {index: self.params.counts(index) for index in pumped}
        return found | {index: held.counts for index, held in plumbing.held(self.ways).items()} if netem else found

    def held(self) -> dict[int, int]:
        """How many packets each line holds that holds any; of a line that is being closed in the pump at least one."""
        if not self.ways.mounted:
            return {}
        found = {index: each.waiting for index, each in plumbing.held(self.ways).items()}
        if self._closing and not all(found.values()):
            pause(PASSING_S)
        if self.pump_process() is not None:
            lines = [line_number(device) for device in self.ways.line_devices() if device.kind != "veth"]
            found |= {index: self.params.held(index) for index in lines}
        return {index: count for index, count in found.items() if count}

    def surroundings(self, *, addresses: bool, listening: Collection[int], readers: bool) -> Surroundings:
        """What surrounds a condition in the target. Raises OSError."""
        return self.namespace.run(lambda: surroundings(addresses=addresses, listening=listening, readers=readers))

    def netems(self) -> dict[int, Netem]:
        """What the kernel's netem holds, by line."""
        return {index: held.netem for index, held in plumbing.held(self.ways).items()}

    def _forget_what_is_gone(self) -> None:
        """Of what is kept open since the last operation, others may have made something else in its place meanwhile."""
        self.ways.forget_what_is_gone()
        if self._params is not None and not self._params.is_at(self.directory / "params"):
            self._forget_params()

    def _forget_params(self) -> None:
        if self._params is not None:
            self._params.close()
            self._params = None

    def _forget_classifier(self) -> None:
        if self._classifier is not None:
            self._classifier.close()
            self._classifier = None

    def close(self) -> None:
        """Closes every descriptor; what was made stays."""
        self._forget_classifier()
        self._forget_params()
        self.ways.close()
        self.namespace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def pump_cpu() -> int:
    """The CPU of the pump: the last of those we may use, since packets are received on the first."""
    return max(os.sched_getaffinity(0))
