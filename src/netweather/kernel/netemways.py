"""The ways through a netem line: its devices, programs and qdisc put together, drained, and compared with what was asked."""

from __future__ import annotations

import contextlib
import struct

from netweather.kernel import bpf, links, netemlines
from netweather.kernel.netem import differences as fields_that_differ
from netweather.kernel.netem import unpack
from netweather.kernel.spec import Line
from netweather.kernel.ways import Ways, find, line_name, line_number, receive_cpu


def make_line(ways: Ways, line: Line) -> None:
    """Makes a netem line, or changes it in place; what is inside stays inside."""
    steer, alias = ways.programs(), f"{links.ALIAS} {line.id}"[:250]
    end_name = f"{netemlines.EXIT_PREFIX}{line.index}"
    entry, end = ways.helper.run(lambda: netemlines.make_pair(line_name(line.index), end_name, alias))
    new = entry not in ways.helper.run(netemlines.read)
    ways.helper.run(lambda: netemlines.put(entry, line.parameters, new=new))
    if new:
        ways.helper.run(lambda: links.pin_receive(ways.helper.mount_sysfs(), end_name, receive_cpu()))
        steer.maps["exits"].update(struct.pack("=I", end), struct.pack("=I", line.index))
        ways.helper.run(lambda: ways.hook.attach(end, steer.programs["nw_exit"]))
    ways.set_destination(line)
    ways.set_entry(line.index, entry if line.whole else _through_hop(ways, line.index, entry))


def _through_hop(ways: Ways, index: int, entry: int) -> int:
    """Leads from the hop that takes GSO packets apart into a line; returns the hop's own index."""
    start, end = ways.helper.run(lambda: netemlines.make_hop(f"{links.ALIAS} segments"))
    program = ways.helper.run(lambda: find(links.device(netemlines.HOP_END), "nw_steer"))
    if program is None:
        program = bpf.load(bpf.built("steer"))
        ways.helper.run(lambda: links.pin_receive(ways.helper.mount_sysfs(), netemlines.HOP_END, receive_cpu()))
        ways.helper.run(lambda: ways.hook.attach(end, program.programs["nw_steer"]))
    try:
        program.maps["steering"].mapped[4 + 4 * index : 8 + 4 * index] = struct.pack("=I", entry)
    finally:
        program.close()
    return start


def drop(ways: Ways, index: int) -> None:
    """Drops what a netem line holds, with its device. Any other line: nothing."""
    with contextlib.suppress(FileNotFoundError):
        device = ways.helper.run(lambda: links.device(line_name(index)))
        if device is not None and device.kind == "veth":
            ways.remove_line(index)


def held(ways: Ways) -> dict[int, netemlines.Held]:
    """Every netem line of this target as the kernel tells it, by the line's number."""
    if not ways.mounted:
        return {}
    found = ways.helper.run(netemlines.read)
    return {line_number(device): found[device.ifindex] for device in ways.line_devices() if device.ifindex in found}


def differences(ways: Ways, lines: tuple[Line, ...]) -> list[str]:
    """What these lines' netems hold that is not what was asked, in words; empty: all of it is."""
    asked = [line for line in lines if line.engine == "netem"]
    if not asked:
        return []
    found_there = held(ways)
    wrong = []
    for line in asked:
        seen = found_there.get(line.index)
        found = ["no netem"] if seen is None else fields_that_differ(unpack(line.parameters), seen.netem)
        wrong += [f"line {line.index}: {one}" for one in found]
    return wrong
