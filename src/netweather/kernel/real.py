"""The seam's real side: observes one target and applies operations to it.

Everything it needs to know is read from the kernel each time; what it keeps between calls is only open descriptors.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from pathlib import Path
from typing import Self

from netweather.errors import NetweatherError
from netweather.kernel import bpf, layout, links, namespaces, pump
from netweather.kernel.classifier import STALE_NS, Classifier
from netweather.kernel.hooks import Clsact, Hook, Tcx, best_hook, remove_clsact
from netweather.kernel.operations import (
    Attach,
    ChangeLine,
    Detach,
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
from netweather.kernel.pump_params import ParamsFile
from netweather.kernel.spec import MAX_LINES, Line, Observed
from netweather.kernel.waiting import pause

DRAIN_S = 0.02


class RealTarget:
    """One target's namespace and ours beside it.

    fd: the target's namespace. directory: the target's state directory, which holds the pump's socket, parameters and the mount
    of our own namespace. Not thread-safe: the journal's lock serialises its users.
    """

    def __init__(self, fd: int, directory: Path, hook: str | None = None) -> None:
        self.namespace = namespaces.Namespace(fd)
        self.directory = directory
        self.helper_path = directory / "netns"
        self._helper: namespaces.Namespace | None = None
        self._classifier: Classifier | None = None
        self._steer: bpf.Object | None = None
        self._return: bpf.Object | None = None
        self._params: ParamsFile | None = None
        self._taps: dict[int, int] = {}
        self._hook_name = hook or os.environ.get("NETWEATHER_HOOK")

    # observe

    def observe(self) -> Observed:
        """What is there now, read from the kernel."""
        return self.namespace.run(self._observe)

    def _observe(self) -> Observed:
        devices = links.devices()
        candidates = _candidates(devices)
        self._forget_classifier()
        classifier, places = Classifier.attached(self.hook, [d.ifindex for d in devices if d.ifindex > 1])
        self._classifier = classifier
        attached = frozenset(d.name for d in devices if places.get(d.ifindex) == {"egress", "ingress"})
        partly = frozenset(d.name for d in devices if places.get(d.ifindex) and d.name not in attached)
        port = any(d.name == links.PORT and d.ours for d in devices)
        lines, broken = self._observe_lines(port)
        return Observed(
            interfaces=tuple((d.name, d.ifindex) for d in candidates),
            helper=namespaces.is_mounted(self.helper_path),
            port=port,
            classifier=classifier.room if classifier else None,
            rules=classifier.digest if classifier else None,
            leases=classifier.leases(256) if classifier else (),
            attached=attached | partly,
            lines=frozenset(lines),
            broken=frozenset(broken),
            pump=self.pump_beats(),
            hook=self.hook.name,
            hidden=self._hidden(candidates),
        )

    def _observe_lines(self, port: bool) -> tuple[set[int], set[int]]:
        """Lines that are whole (device, exit program, way in), and those of which something is missing."""
        if not namespaces.is_mounted(self.helper_path):
            return set(), set()
        if port:
            self._find_ways()
        entries = self._entries()
        taps = {int(d.name[len(links.LINE_PREFIX) :]): d for d in self.helper.run(links.devices) if _is_line(d)}
        whole = {i for i, d in taps.items() if d.up and entries.get(i) == d.ifindex and self._has_exit(d.ifindex)}
        return whole, (set(taps) | set(entries)) - whole

    def _hidden(self, candidates: list[links.Device]) -> tuple[str, ...]:
        """Programs in front of ours, which may keep traffic from us."""
        found = []
        for device in candidates:
            for direction in ("egress", "ingress"):
                programs = self.hook.programs(device.ifindex, direction)
                names = [p.name for p in programs]
                ours = next((i for i, name in enumerate(names) if name == f"nw_{direction}"), None)
                for name in names[:ours] if ours is not None else []:
                    found.append(f"program {name or '(unnamed)'} runs before ours at {direction} of {device.name}")
                for program in programs:
                    program.close()
        return tuple(found)

    def pump_beats(self) -> bool:
        """Whether the pump of this classifier is alive: it runs, and its heart beat a moment ago."""
        if self._classifier is None or self.pump_process() is None:
            return False
        return namespaces.boot_ns() - self._classifier.beat_ns < STALE_NS

    @property
    def hook(self) -> Hook:
        if self._hook_name == "clsact":
            return Clsact()
        if self._hook_name == "tcx":
            return Tcx()
        return best_hook()

    @property
    def helper(self) -> namespaces.Namespace:
        if self._helper is None:
            fd = os.open(self.helper_path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._helper = namespaces.Namespace(fd)
            finally:
                os.close(fd)
        return self._helper

    @property
    def params(self) -> ParamsFile:
        if self._params is None:
            self._params = ParamsFile(self.directory / "params")
        return self._params

    # apply

    def apply(self, operation: Operation) -> None:
        """Does one operation. Raises NetweatherError or OSError; the operation is then not done or partly done."""
        match operation:
            case MakeHelper():
                namespaces.make(self.helper_path)
            case MakePort(alias=alias):
                self._make_port(alias)
            case LoadClassifier(room=room):
                kept, self._classifier = self._classifier, None
                self._classifier = Classifier.load(room, kept)
                self._connect_port()
                if kept:
                    kept.close()
            case StartPump(lines=lines):
                self._start_pump(lines)
            case MakeLine(line=line):
                self._make_line(line)
            case ChangeLine(line=line):
                self.params.write_line(line.index, line.parameters, dict(line.tables))
                self._set_destination(line)
            case WriteRules(tables=tables, datapath=datapath):
                self._need_classifier().write(tables, datapath)
            case Attach(ifindex=ifindex):
                self.namespace.run(lambda: self._attach(ifindex))
            case Detach(interface=name):
                self.namespace.run(lambda: self._detach(name))
            case RemoveLine(index=index):
                self._remove_line(index)
            case StopPump():
                self._stop_pump()
            case RemovePort():
                self._remove_port()
            case RemoveHelper():
                self._close_helper()
                namespaces.remove(self.helper_path)

    def _need_classifier(self) -> Classifier:
        if self._classifier is None:
            raise NetweatherError("no-classifier", "the classifier is not loaded", "", "run `netweather recover`")
        return self._classifier

    def _make_port(self, alias: str) -> None:
        self.helper.run(lambda: links.make_port(self.namespace.fd, alias))
        self._steer = bpf.load(bpf.built("steer"))
        self._return = bpf.load(bpf.built("return"))
        outer = self.namespace.run(lambda: links.raise_port(links.PORT, alias))
        inner = self.helper.run(lambda: links.raise_port(links.HELPER_PORT, alias))
        self._steer.maps["steering"].mapped[0:4] = struct.pack("=I", inner)
        hook = self.hook
        program, back = self._steer.programs["nw_steer"], self._return.programs["nw_return"]
        self.helper.run(lambda: hook.attach(inner, "ingress", program))
        self.namespace.run(lambda: hook.attach(outer, "ingress", back))
        self.helper.run(lambda: links.pin_receive(self.helper.mount_sysfs(), links.HELPER_PORT, receive_cpu()))
        self._connect_port()

    def _connect_port(self) -> None:
        """Tells the classifier which device leads to our namespace."""
        port = self.namespace.run(lambda: links.device(links.PORT))
        if self._classifier and port:
            self._classifier.set_port(port.ifindex)

    def _find_ways(self) -> None:
        """The steering and return programs' maps, of whoever made them."""
        hook = self.hook
        if self._steer is None:
            self._steer = self.helper.run(lambda: _find(hook, links.HELPER_PORT, "nw_steer"))
        if self._return is None:
            self._return = self.namespace.run(lambda: _find(hook, links.PORT, "nw_return"))
        if self._steer and "exits" not in self._steer.maps:
            # nw_steer doesn't use the map of exits; the exit program of any line does. Without a line there is none.
            exits = self.helper.run(lambda: _find_exits(hook))
            exits = exits or bpf.load(bpf.built("steer"), reused={"steering": self._steer.maps["steering"]})
            self._steer.maps.setdefault("exits", exits.maps["exits"])
            self._steer.programs.setdefault("nw_exit", exits.programs["nw_exit"])

    def _entries(self) -> dict[int, int]:
        if self._steer is None:
            return {}
        values = struct.unpack_from(f"={1 + MAX_LINES}I", self._steer.maps["steering"].mapped)
        return {line: ifindex for line, ifindex in enumerate(values[1:]) if ifindex}

    def _has_exit(self, ifindex: int) -> bool:
        programs = self.helper.run(lambda: self.hook.programs(ifindex, "ingress"))
        names = {p.name for p in programs}
        for program in programs:
            program.close()
        return "nw_exit" in names

    def _start_pump(self, lines: tuple[Line, ...]) -> None:
        classifier = self._need_classifier()
        with contextlib.suppress(OSError):
            self._stop_pump()
        self.params.set_deadline(0)
        process = pump.start(self.directory, self.directory / "params", classifier.maps["beat"].fd, pump_cpu())
        (self.directory / "pump.pid").write_text(f"{process.pid} {process.start}")
        for line in lines:
            self._give_tap(line)

    def _give_tap(self, line: Line) -> None:
        self.params.write_line(line.index, line.parameters, dict(line.tables))
        fd = self.helper.run(lambda: links.open_tap(f"{links.LINE_PREFIX}{line.index}"))
        try:
            with pump.Control(self.directory) as control:
                control.add(line.index, fd)
        finally:
            os.close(fd)

    def _make_line(self, line: Line) -> None:
        self._find_ways()
        if self._steer is None or self._return is None:
            raise NetweatherError("no-port", "the way to our own namespace is gone", "", "run `netweather recover`")
        name = f"{links.LINE_PREFIX}{line.index}"
        self._give_tap(line)
        hook = self.hook
        alias = f"{links.ALIAS} {line.key}"[:250]
        ifindex = self.helper.run(lambda: links.raise_tap(name, alias))
        program = self._steer.programs["nw_exit"]
        self._steer.maps["exits"].update(struct.pack("=I", ifindex), struct.pack("=I", line.index))
        self.helper.run(lambda: hook.attach(ifindex, "ingress", program))
        self._set_destination(line)
        self._set_entry(line.index, ifindex)

    def _set_entry(self, line: int, ifindex: int) -> None:
        if self._steer is not None:
            self._steer.maps["steering"].mapped[4 + 4 * line : 8 + 4 * line] = struct.pack("=I", ifindex)

    def _set_destination(self, line: Line) -> None:
        self._find_ways()
        if self._return is not None:
            size = layout.DESTINATION.size
            value = layout.DESTINATION.pack(line.interface.ifindex, line.direction == "ingress")
            self._return.maps["destinations"].mapped[size * line.index : size * (line.index + 1)] = value

    def _attach(self, ifindex: int) -> None:
        classifier, hook = self._need_classifier(), self.hook
        hook.attach(ifindex, "ingress", classifier.programs["nw_ingress"])
        hook.attach(ifindex, "egress", classifier.programs["nw_egress"])

    def _detach(self, name: str) -> None:
        device = links.device(name)
        if device is None:
            return
        for direction in ("egress", "ingress"):
            for program in self.hook.programs(device.ifindex, direction):
                if program.name == f"nw_{direction}":
                    self.hook.detach(device.ifindex, direction, program)
                program.close()
        if self.hook.name == "clsact" and (self.directory / f"clsact-{name}").exists():
            remove_clsact(device.ifindex)

    def _remove_line(self, index: int) -> None:
        # What was on its way to the line when its rule went has arrived after this.
        pause(DRAIN_S)
        self._set_entry(index, 0)
        with contextlib.suppress(OSError):
            with pump.Control(self.directory) as control:
                control.remove(index)
            self._wait_drained(index)
        with contextlib.suppress(OSError):
            name = f"{links.LINE_PREFIX}{index}"
            device = self.helper.run(lambda: links.device(name))
            if device is not None:
                if self._steer is not None and "exits" in self._steer.maps:
                    self._steer.maps["exits"].delete(struct.pack("=I", device.ifindex))
                self.helper.run(lambda: links.delete(device.ifindex))

    def _wait_drained(self, index: int) -> None:
        while self.params.holds(index) and self.pump_beats():
            pause(0.002)

    def _stop_pump(self) -> None:
        process = self.pump_process()
        if process is not None:
            pump.stop(process)
        for name in ("pump.pid", "pump.sock"):
            (self.directory / name).unlink(missing_ok=True)

    def pump_process(self) -> pump.Process | None:
        """The running pump of this target, or None."""
        try:
            pid, start = (int(word) for word in (self.directory / "pump.pid").read_text().split())
        except (OSError, ValueError):
            return None
        process = pump.Process(pid, start)
        return process if process.alive else None

    def _remove_port(self) -> None:
        port = self.namespace.run(lambda: links.device(links.PORT))
        if port is not None and port.ours:
            self.namespace.run(lambda: links.delete(port.ifindex))
        for part in (self._steer, self._return):
            if part is not None:
                part.close()
        self._steer = self._return = None

    def _close_helper(self) -> None:
        if self._helper is not None:
            self._helper.close()
            self._helper = None

    # read

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
        return self._need_classifier().differences(operation.tables, operation.datapath)

    def set_leases(self, leases: tuple[int, ...]) -> None:
        self._need_classifier().set_leases(leases)

    def unwanted_drops(self) -> int:
        """Packets that our own devices dropped and nobody asked for."""
        port = self.namespace.run(lambda: links.device(links.PORT))
        total = (port.tx_dropped + port.rx_dropped) if port else 0
        if namespaces.is_mounted(self.helper_path):
            devices = self.helper.run(links.devices)
            # A TAP's receive drops are packets that the exit refused; its transmit drops are a queue that was too short.
            total += sum(d.tx_dropped for d in devices if _is_line(d))
            total += sum(self.params.unwanted(int(d.name[len(links.LINE_PREFIX) :])) for d in devices if _is_line(d))
        return total

    def _forget_classifier(self) -> None:
        if self._classifier is not None:
            self._classifier.close()
            self._classifier = None

    def close(self) -> None:
        """Closes every descriptor; what was made stays."""
        self._forget_classifier()
        for part in (self._steer, self._return):
            if part is not None:
                part.close()
        self._steer = self._return = None
        if self._params is not None:
            self._params.close()
            self._params = None
        self._close_helper()
        self.namespace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_line(device: links.Device) -> bool:
    return device.ours and device.name.startswith(links.LINE_PREFIX)


def _candidates(devices: list[links.Device]) -> list[links.Device]:
    """Interfaces whose traffic can be looked at: Ethernet, not ours, and none that another one's traffic passes through again."""
    return [
        d
        for d in devices
        if d.hardware == links.ARPHRD_ETHER and not d.name.startswith("nw") and d.kind != "bridge" and d.lower is None
    ]


def _find(hook: Hook, name: str, program_name: str) -> bpf.Object | None:
    device = links.device(name)
    if device is None:
        return None
    found = None
    for program in hook.programs(device.ifindex, "ingress"):
        if program.name == program_name and found is None:
            found = bpf.Object({program.name: program}, program.maps())
        else:
            program.close()
    return found


def _find_exits(hook: Hook) -> bpf.Object | None:
    for device in links.devices():
        if _is_line(device) and (found := _find(hook, device.name, "nw_exit")) is not None:
            return found
    return None


def receive_cpu() -> int:
    """The CPU on which packets for lines are received; the first of those we may use."""
    return min(os.sched_getaffinity(0))


def pump_cpu() -> int:
    """The CPU of the pump: another one than `receive_cpu`, where there is one."""
    return max(os.sched_getaffinity(0))


def is_gone(error: OSError) -> bool:
    """Whether an error only says that a thing is gone already."""
    return error.errno in (errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.ENXIO)
