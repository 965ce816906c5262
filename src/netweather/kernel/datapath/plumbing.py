"""The ways between a target's namespace and ours: the port (nw0 and nwh), and each line's device with its entry and exit.

What happens to packets inside a line is the pump's affair; which packets are sent here the classifier's.
"""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path

from netweather.errors import NetweatherError
from netweather.kernel import namespaces
from netweather.kernel.bpf import libbpf
from netweather.kernel.bpf.hooks import Ours
from netweather.kernel.datapath import classifier_layout, netem_devices
from netweather.kernel.datapath.spec import MAX_LINES, Line
from netweather.kernel.netlink import links
from netweather.kernel.netlink.netem_attributes import differences as fields_that_differ
from netweather.kernel.netlink.netem_attributes import unpack
from netweather.kernel.waiting import until

GOING_S = 1.0
"""How long the kernel may take to remove the devices of a namespace that is gone: 20 to 100 ms, more when many go at once."""


class Plumbing:
    """The devices of one target's lines, and the programs that steer packets between them.

    namespace: the target's. path: where our own namespace is mounted. Everything is found again in the kernel, whoever made it.
    """

    def __init__(self, namespace: namespaces.Namespace, path: Path) -> None:
        self.namespace, self.path, self.hook = namespace, path, Ours()
        self._helper: namespaces.Namespace | None = None
        self._steer: libbpf.BpfObject | None = None
        self._return: libbpf.BpfObject | None = None

    @property
    def mounted(self) -> bool:
        return namespaces.is_mounted(self.path)

    @property
    def helper(self) -> namespaces.Namespace:
        """Our own namespace. Raises FileNotFoundError when there is none."""
        if self._helper is None:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._helper = namespaces.Namespace(fd)
            finally:
                os.close(fd)
        return self._helper

    def make_helper(self) -> None:
        """Makes our own namespace; one that is there is kept."""
        if not self.mounted:
            namespaces.make(self.path)

    def remove_helper(self) -> None:
        """Removes our namespace; the kernel takes its devices away, all at once and in its own time."""
        self.close()
        namespaces.remove(self.path)

    def port(self) -> links.Device | None:
        """The target's nw0, if it is there and ours."""
        device = self.namespace.run(lambda: links.device(links.PORT))
        return device if device is not None and device.ours else None

    def port_faults(self, port: links.Device) -> tuple[str, ...]:
        """What keeps packets from going through the target's end of a port, in words. Runs inside the target's namespace."""
        return self._faults(port, "nw_return", self._return)

    def _faults(self, port: links.Device, name: str, known: libbpf.BpfObject | None) -> tuple[str, ...]:
        down = () if port.up else (f"the device {port.name} is down",)
        return down if self._has(port.ifindex, name, known) else (*down, f"the program at {port.name} is missing")

    def make_port(self, alias: str) -> None:
        """Makes nw0 and nwh with the programs at their ends, anew when ours are there.

        Raises OSError when somebody else's device has that name.
        """
        self.remove_port()
        self.helper.run(lambda: links.make_port(self.namespace.fd))
        steer, back = libbpf.load(libbpf.built("steer")), libbpf.load(libbpf.built("return"))
        self._steer, self._return = steer, back
        outer = self.namespace.run(lambda: links.raise_port(links.PORT, alias))
        inner = self.helper.run(lambda: links.raise_port(links.HELPER_PORT, alias))
        steer.maps["steering"].mapped[0:4] = struct.pack("=I", inner)
        self.helper.run(lambda: self.hook.attach(inner, steer.programs["nw_steer"]))
        self.namespace.run(lambda: self.hook.attach(outer, back.programs["nw_return"]))
        self.helper.run(lambda: links.pin_receive(self.helper.mount_sysfs(), links.HELPER_PORT, receive_cpu()))

    def remove_port(self) -> None:
        """Takes nw0 and nwh away; without our namespace they are going already, and it only waits for that."""
        self._close_programs()
        if not self.mounted and until(lambda: self.port() is None, GOING_S, step_s=0.002):
            return
        port = self.port()
        if port is not None:
            self.namespace.run(lambda: links.delete(port.ifindex))

    def lines(self) -> tuple[frozenset[int], frozenset[int], tuple[str, ...]]:
        """The lines that are whole (device up, entry, exit), those of which something is missing, and what is wrong with our end of
        the port, in words.
        """
        if not self.mounted:
            return frozenset(), frozenset(), ()
        self._find_return()
        return self.helper.run(self._lines)

    def _lines(self) -> tuple[frozenset[int], frozenset[int], tuple[str, ...]]:
        present = links.devices()
        port = next((d for d in present if d.name == links.HELPER_PORT), None)
        self._find_steer(port)
        devices = {line_number(d): d for d in present if _is_line(d)}
        entries = self._entries()
        exits = {i: d.ifindex for i, d in devices.items() if d.kind != "veth" and entries.get(i) == d.ifindex}
        exits |= netem_devices.exits(present, entries)
        whole = {i for i, d in devices.items() if d.up and i in exits and self._has(exits[i], "nw_exit", self._steer)}
        faults = self._faults(port, "nw_steer", self._steer) if port is not None else ()
        return frozenset(whole), frozenset((set(devices) | set(entries)) - whole), faults

    def line_devices(self) -> list[links.Device]:
        return [d for d in self.helper.run(links.devices) if _is_line(d)]

    def open_line(self, index: int) -> int:
        """A descriptor of a line's TAP, which is made when it isn't there."""
        return self.helper.run(lambda: links.open_tap(line_name(index)))

    def connect_line(self, line: Line) -> None:
        """Brings a line's TAP up and connects its exit, its destination and, last, its entry."""
        steer, alias = self.programs(), f"{links.ALIAS} {line.id}"[:250]
        ifindex = self.helper.run(lambda: links.raise_tap(line_name(line.index), alias))
        steer.maps["exits"].update(struct.pack("=I", ifindex), struct.pack("=I", line.index))
        self.helper.run(lambda: self.hook.attach(ifindex, steer.programs["nw_exit"]))
        self.set_destination(line)
        self.set_entry(line.index, ifindex)

    def set_entry(self, line: int, ifindex: int) -> None:
        """Which device a line's packets go into; 0: none any more."""
        if self._steer is not None:
            self._steer.maps["steering"].mapped[4 + 4 * line : 8 + 4 * line] = struct.pack("=I", ifindex)

    def set_destination(self, line: Line) -> None:
        """Where a line's packets go when they come out."""
        self._find_programs()
        if self._return is not None:
            size = classifier_layout.DESTINATION.size
            ifindex, key = struct.pack("=I", line.interface.ifindex), struct.pack("=I", line.index)
            value = classifier_layout.DESTINATION.pack(line.interface.ifindex, line.direction == "ingress")
            self._return.maps["devices"].point(key, ifindex, self.namespace.run)
            self._return.maps["destinations"].mapped[size * line.index : size * (line.index + 1)] = value

    def make_room(self, line: Line) -> None:
        """Takes away a device of the other engine, which has this line's name; it must be empty."""
        device = self.helper.run(lambda: links.device(line_name(line.index)))
        if device is not None and (device.kind == "veth") != (line.engine == "netem"):
            self.remove_line(line.index)

    def remove_line(self, index: int) -> None:
        """Takes a line's device away; it must be empty."""
        with contextlib.suppress(FileNotFoundError):
            device = self.helper.run(lambda: links.device(line_name(index)))
            end = self.helper.run(lambda: links.device(f"{netem_devices.EXIT_PREFIX}{index}"))
            if device is not None:
                if self._steer is not None:
                    self._steer.maps["exits"].delete(struct.pack("=I", (end or device).ifindex))
                self.helper.run(lambda: links.delete(device.ifindex))

    def dropped(self) -> int:
        """Packets that our devices dropped, which nobody asked for."""
        port = self.port()
        total = port.tx_dropped + port.rx_dropped if port else 0
        devices = [d for d in self.helper.run(links.devices) if d.ours] if self.mounted else []
        return total + sum(d.tx_dropped for d in devices if d.name != links.HELPER_PORT)

    def close(self) -> None:
        """Closes descriptors; what was made stays."""
        self._close_programs()
        if self._helper is not None:
            self._helper.close()
            self._helper = None

    def programs(self) -> libbpf.BpfObject:
        """What steers, with the exits. Raises NetweatherError(code="no-port")."""
        self._find_programs()
        if self._steer is None or self._return is None:
            raise NetweatherError(
                "no-port", "the connection to Netweather's own namespace is missing", "", "run `netweather recover`"
            )
        return self._steer

    def _find_programs(self) -> None:
        self._find_return()
        if self._steer is None:
            self.helper.run(lambda: self._find_steer(links.device(links.HELPER_PORT)))

    def _find_return(self) -> None:
        if self._return is None:
            self._return = self.namespace.run(lambda: find(links.device(links.PORT), "nw_return"))

    def _find_steer(self, port: links.Device | None) -> None:
        """Runs inside our own namespace."""
        if self._steer is None:
            self._steer = find(port, "nw_steer")
        if self._steer is not None and "exits" not in self._steer.maps:
            # nw_steer doesn't use the map of exits; the exit program of any line does. Without a line there is none.
            exits = _find_exits() or libbpf.load(libbpf.built("steer"), reused={"steering": self._steer.maps["steering"]})
            self._steer.maps["exits"] = exits.maps.pop("exits")
            self._steer.programs["nw_exit"] = exits.programs.pop("nw_exit")
            exits.close()

    def _entries(self) -> dict[int, int]:
        if self._steer is None:
            return {}
        values = struct.unpack_from(f"={1 + MAX_LINES}I", self._steer.maps["steering"].mapped)
        return {line: ifindex for line, ifindex in enumerate(values[1:]) if ifindex}

    def forget_what_is_gone(self) -> None:
        """Of what is open, others may have made something else in its place meanwhile. Runs inside the target's namespace."""
        try:
            same = self._helper is None or self._helper.is_at(self.path)
        except FileNotFoundError:
            same = False
        port = links.device(links.PORT) if same and self._return is not None else None
        if not same:
            self.close()
        elif self._return is not None and (port is None or not self._at(port.ifindex, self._return, "nw_return")):
            self._close_programs()

    def _at(self, ifindex: int, known: libbpf.BpfObject, name: str) -> bool:
        """Whether this very program is at a device's ingress. Runs inside its namespace."""
        return name in known.programs and known.programs[name].id in self.hook.ids(ifindex)

    def _has(self, ifindex: int, name: str, known: libbpf.BpfObject | None) -> bool:
        """Whether a program of this name is at a device's ingress, most likely the known one. Runs inside its namespace."""
        if known is not None and self._at(ifindex, known, name):
            return True
        programs = self.hook.programs(ifindex)
        for program in programs:
            program.close()
        return name in {program.name for program in programs}

    def _close_programs(self) -> None:
        for part in (self._steer, self._return):
            if part is not None:
                part.close()
        self._steer = self._return = None


def _is_line(device: links.Device) -> bool:
    return device.ours and device.name.startswith(links.LINE_PREFIX)


def line_name(index: int) -> str:
    return f"{links.LINE_PREFIX}{index}"


def line_number(device: links.Device) -> int:
    return int(device.name.removeprefix(links.LINE_PREFIX))


def find(device: links.Device | None, program_name: str) -> libbpf.BpfObject | None:
    """A program of ours at the ingress of a device of this namespace, with its maps; None without a device, too."""
    if device is None:
        return None
    found = None
    for program in Ours().programs(device.ifindex):
        if program.name == program_name and found is None:
            found = libbpf.BpfObject({program.name: program}, program.maps())
        else:
            program.close()
    return found


def _find_exits() -> libbpf.BpfObject | None:
    for name in sorted(links.names()):
        if name.startswith((links.LINE_PREFIX, netem_devices.EXIT_PREFIX)):
            found = find(links.device(name), "nw_exit")
            if found is not None:
                return found
    return None


def receive_cpu() -> int:
    """The CPU on which packets for lines are received; the first of those we may use."""
    return min(os.sched_getaffinity(0))


def make_line(ways: Plumbing, line: Line) -> None:
    """Makes a netem line, or changes it in place; what is inside stays inside."""
    steer, alias = ways.programs(), f"{links.ALIAS} {line.id}"[:250]
    end_name = f"{netem_devices.EXIT_PREFIX}{line.index}"
    entry, end = ways.helper.run(lambda: netem_devices.make_pair(line_name(line.index), end_name, alias))
    new = entry not in ways.helper.run(netem_devices.read)
    ways.helper.run(lambda: netem_devices.put(entry, line.parameters, new=new))
    if new:
        ways.helper.run(lambda: links.pin_receive(ways.helper.mount_sysfs(), end_name, receive_cpu()))
        steer.maps["exits"].update(struct.pack("=I", end), struct.pack("=I", line.index))
        ways.helper.run(lambda: ways.hook.attach(end, steer.programs["nw_exit"]))
    ways.set_destination(line)
    ways.set_entry(line.index, entry if line.whole else _through_hop(ways, line.index, entry))


def _through_hop(ways: Plumbing, index: int, entry: int) -> int:
    """Leads from the hop that takes GSO packets apart into a line; returns the hop's own index."""
    start, end = ways.helper.run(lambda: netem_devices.make_hop(f"{links.ALIAS} segments"))
    program = ways.helper.run(lambda: find(links.device(netem_devices.HOP_END), "nw_steer"))
    if program is None:
        program = libbpf.load(libbpf.built("steer"))
        ways.helper.run(lambda: links.pin_receive(ways.helper.mount_sysfs(), netem_devices.HOP_END, receive_cpu()))
        ways.helper.run(lambda: ways.hook.attach(end, program.programs["nw_steer"]))
    try:
        program.maps["steering"].mapped[4 + 4 * index : 8 + 4 * index] = struct.pack("=I", entry)
    finally:
        program.close()
    return start


def drop(ways: Plumbing, index: int) -> None:
    """Drops what a netem line holds, with its device. Any other line: nothing."""
    with contextlib.suppress(FileNotFoundError):
        device = ways.helper.run(lambda: links.device(line_name(index)))
        if device is not None and device.kind == "veth":
            ways.remove_line(index)


def held(ways: Plumbing) -> dict[int, netem_devices.NetemState]:
    """Every netem line of this target as the kernel tells it, by the line's number."""
    if not ways.mounted:
        return {}
    found = ways.helper.run(netem_devices.read)
    return {line_number(device): found[device.ifindex] for device in ways.line_devices() if device.ifindex in found}


def differences(ways: Plumbing, lines: tuple[Line, ...]) -> list[str]:
    """What these lines' netems hold that is not what was asked, in words; empty: all of it is."""
    asked = [line for line in lines if line.engine == "netem"]
    if not asked:
        return []
    found_there = held(ways)
    wrong = []
    for line in asked:
        seen = found_there.get(line.index)
        found = ["no netem"] if seen is None else fields_that_differ(unpack(line.parameters), seen.netem)
        wrong += [f"emulated link {line.index}: {one}" for one in found]
    return wrong
