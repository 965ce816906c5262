"""The classifier in the kernel: loading it, finding one that is attached, writing its tables and reading them back.

All of it runs inside the target's namespace (the hooks are looked up there).
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from netweather.errors import NetweatherError
from netweather.kernel.bpf import btf, libbpf
from netweather.kernel.bpf.hooks import Hook
from netweather.kernel.datapath import classifier_layout
from netweather.kernel.datapath.spec import MAX_LEASES, Datapath, Room, RulePrefix, Tables
from netweather.kernel.host_info import possible_cpus

STALE_NS = 450_000_000
"""A heartbeat older than this is a dead pump's: three beats of 150 ms."""
_DEVICE = (("net_device", "ifindex"), ("net_device", "nd_net"), ("net", "ns"), ("ns_common", "inum"))
PROGRAMS: dict[str, Literal["egress", "ingress"]] = {"nw_egress": "egress", "nw_ingress": "ingress"}


@dataclass
class Classifier:
    """A loaded classifier: programs by name, maps by name."""

    programs: dict[str, libbpf.Program]
    maps: dict[str, libbpf.Map]

    @classmethod
    def load(cls, room: Room, kept: Classifier | None = None) -> Classifier:
        """Loads one with room for so much; `kept`: an earlier one, whose heartbeat goes on."""
        sizes = {
            "rules": 2 * room.rules,
            "bits": 2 * room.bits,
            "ports": 2 * room.ports,
            "counters": room.rules,
        }
        reused = {"beat": kept.maps["beat"]} if kept else {}
        constants = struct.pack("=III", room.rules, room.bits, room.ports)
        image = libbpf.built("classify")
        try:
            loaded = libbpf.load(image, sizes, constants + _device_constants(), reused)
        except NetweatherError:  # a kernel that is locked down lets no program read its memory
            loaded = libbpf.load(image, sizes, constants, reused)
        found = cls(loaded.programs, loaded.maps)
        found._write_control(0, classifier_layout.CONTROL.pack(0, 0, STALE_NS, 0, 0))
        if kept:
            found._take_over(kept)
        return found

    @classmethod
    def attached(
        cls, hook: Hook, ifindexes: list[int], namespace: int, known: Classifier | None = None
    ) -> tuple[Classifier | None, dict[int, set[str]], set[int]]:
        """The classifier that is attached, which of its programs each interface has, and which interfaces have another one of ours.

        Another one: an interface brought it from the namespace that it was in before. namespace: the inode of this one.
        known: one that is open already, and is told again when it is still the one.
        """
        if known is not None and (found := known._still(hook, ifindexes)):
            return known, found, set()
        seen: dict[int, list[tuple[int, str]]] = {}  # by program: where it is attached
        opened: dict[int, libbpf.Program] = {}
        for ifindex in ifindexes:
            for direction in ("egress", "ingress"):
                for program in hook.programs(ifindex, direction):
                    if PROGRAMS.get(program.name) != direction or program.id in opened:
                        program.close()
                    else:
                        opened[program.id] = program
                    if PROGRAMS.get(program.name) == direction:
                        seen.setdefault(program.id, []).append((ifindex, direction))
        chosen = cls._of(list(opened.values()), namespace)
        ours = {program.id for program in chosen.programs.values()} if chosen else set()
        places: dict[int, set[str]] = {}
        for ifindex, direction in (place for each in ours for place in seen[each]):
            places.setdefault(ifindex, set()).add(direction)
        return chosen, places, {ifindex for each in seen if each not in ours for ifindex, _ in seen[each]}

    @classmethod
    def _of(cls, programs: list[libbpf.Program], namespace: int) -> Classifier | None:
        """The first classifier among these programs that is this namespace's; the others are closed."""
        chosen: Classifier | None = None
        for program in programs:
            if chosen is not None and program.name not in chosen.programs and chosen.maps["control"].id in program.map_ids:
                chosen.programs[program.name] = program
                continue
            maps = program.maps() if chosen is None else {}
            if "control" in maps and maps["control"].value_size == classifier_layout.CONTROL_SIZE:
                candidate = cls({program.name: program}, maps)
                if candidate.namespace == namespace:
                    chosen = candidate
                    continue
            libbpf.close_all({program.name: program}, maps)
        return chosen

    @classmethod
    def by_ids(cls, ids: list[int], namespace: int) -> Classifier | None:
        """The classifier with these programs, wherever it is attached; None when it is nowhere any more."""
        programs = []
        for identifier in ids:
            with contextlib.suppress(FileNotFoundError):
                programs.append(libbpf.Program.by_id(identifier))
        wanted = [program for program in programs if program.name in PROGRAMS]
        for program in programs:
            if program.name not in PROGRAMS:  # the number is another's now
                program.close()
        return cls._of(wanted, namespace)

    def _still(self, hook: Hook, ifindexes: list[int]) -> dict[int, set[str]]:
        """Where these very programs are attached; nothing when there may be others of ours."""
        places: dict[int, set[str]] = {}
        for ifindex in ifindexes:
            for name, direction in PROGRAMS.items():
                ids = hook.ids(ifindex, direction)
                if name in self.programs and self.programs[name].id in ids:
                    places.setdefault(ifindex, set()).add(direction)
                elif ids:
                    return {}
        return places

    @property
    def whole(self) -> bool:
        """Whether both programs were found."""
        return self.programs.keys() == PROGRAMS.keys()

    @property
    def room(self) -> Room:
        sizes = {name: self.maps[name].max_entries // 2 for name in ("rules", "bits", "ports")}
        return Room(**sizes)

    @property
    def namespace(self) -> int:
        """The inode of the namespace that it was made for."""
        return int(classifier_layout.CONTROL.unpack_from(self.maps["control"].mapped)[3])

    @property
    def ids(self) -> list[int]:
        return [program.id for program in self.programs.values()]

    def covered(self) -> dict[int, int | None]:
        """The interfaces that it was given, by index: those that are there still have a slot, the others None.

        The kernel empties the slot of an interface that is deleted or moves away.
        """
        found: dict[int, int | None] = {}
        for key in self.maps["interfaces"].all_keys():
            value = self.maps["interfaces"].lookup(key)
            slot = value[:4] if value else bytes(4)
            found[struct.unpack("=I", key)[0]] = (
                struct.unpack("=I", slot)[0] if self.maps["devices"].lookup(slot) == key else None
            )
        return found

    def forget_departed(self) -> None:
        """Forgets the interfaces that have left."""
        for ifindex, slot in self.covered().items():
            if slot is None:
                self.maps["interfaces"].delete(struct.pack("=I", ifindex))

    @property
    def generation(self) -> int:
        return int(struct.unpack_from("=I", self.maps["control"].mapped, 0)[0]) & 1

    @property
    def digest(self) -> int:
        """Of the rules in force; 0: none."""
        return int(classifier_layout.SET.unpack_from(self.maps["control"].mapped, self._set_at(self.generation))[-1])

    @property
    def beat_ns(self) -> int:
        """CLOCK_BOOTTIME ns of the pump's last beat; 0: none yet."""
        return int(struct.unpack_from("=Q", self.maps["beat"].mapped, 0)[0])

    def set_namespace(self, inode: int) -> None:
        """Which namespace it is for: interfaces in any other are none of its business."""
        self._write_control(16, struct.pack("=I", inode))

    def set_port(self, ifindex: int) -> None:
        self._write_control(4, struct.pack("=I", ifindex))

    def leases(self, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"={count}Q", self.maps["control"].mapped, classifier_layout.LEASES_AT)

    def set_leases(self, leases: tuple[int, ...]) -> None:
        """Aligned 8-byte writes: a reader sees the old end or the new."""
        memory = memoryview(self.maps["control"].mapped)[
            classifier_layout.LEASES_AT : classifier_layout.LEASES_AT + 8 * len(leases)
        ].cast("Q")
        for slot, deadline in enumerate(leases):
            memory[slot] = deadline
        memory.release()

    def write(
        self,
        tables: Tables,
        datapath: Datapath,
        inside: Callable[[Callable[[], None]], None] = lambda function: function(),
        shapers: Collection[int] = (),
    ) -> None:
        """Writes the generation that is not in force, then switches to it with one write. Raises OSError.

        inside: runs a function in the target's namespace, where the caller is unless given. shapers: the indexes of its ifbs.
        """
        generation = 1 - self.generation
        self._clear_generation(generation)
        room = self.room
        for index, rule in enumerate(tables.rules):
            self._write("rules", classifier_layout.RULE.size, generation * room.rules + index, classifier_layout.rule_bytes(rule))
        for index, vector in enumerate(tables.vectors):
            self._write(
                "bits", classifier_layout.BITS, generation * room.bits + index, vector.to_bytes(classifier_layout.BITS, "little")
            )
        if tables.protocols is not None:
            self._write("protocols", classifier_layout.IDS, generation * 64, tables.protocols.tobytes())
        if tables.ports is not None:
            self._write("ports", classifier_layout.IDS, generation * room.ports, tables.ports.tobytes())
        for prefix, vector_id in tables.peers.items():
            self._peers(prefix).update(classifier_layout.peer_key(prefix, generation), struct.pack("=I", vector_id))
        for connection, index in tables.connections.items():
            self.maps["connections"].update(classifier_layout.connection_key(connection, generation), struct.pack("=I", index))
        self._write_interfaces(tables, datapath, generation, inside)
        self._write_shapers({struct.pack("=I", ifindex) for ifindex in shapers})
        self.set_leases(datapath.leases + (0,) * (MAX_LEASES - len(datapath.leases)))
        self._write_control(self._set_at(generation), self._set_bytes(tables))
        self._write_control(0, struct.pack("=I", generation))

    def differences(self, tables: Tables, datapath: Datapath) -> list[str]:
        """What is in the kernel and isn't what was asked, in words; empty: all is as asked."""
        generation, found = self.generation, []
        room = self.room
        if self.maps["control"].mapped[
            self._set_at(generation) : self._set_at(generation) + classifier_layout.SET.size
        ] != self._set_bytes(tables):
            found.append("the rule set")
        for index, rule in enumerate(tables.rules):
            if self._read("rules", classifier_layout.RULE.size, generation * room.rules + index) != classifier_layout.rule_bytes(
                rule
            ):
                found.append(f"rule {index}")
        for index, vector in enumerate(tables.vectors):
            if self._read("bits", classifier_layout.BITS, generation * room.bits + index) != vector.to_bytes(
                classifier_layout.BITS, "little"
            ):
                found.append(f"bit vector {index}")
        for prefix, vector_id in tables.peers.items():
            if self._peers(prefix).lookup(classifier_layout.peer_key(prefix, generation)) != struct.pack("=I", vector_id):
                found.append(f"peer {prefix}")
        if self.leases(len(datapath.leases)) != datapath.leases:
            found.append("the leases")
        return found

    def counters(self, slots: list[int]) -> dict[int, tuple[int, int, int]]:
        """(packets, bytes, dropped) of each counter, summed over the CPUs."""
        counters = self.maps["counters"]
        cpus = possible_cpus()
        found: dict[int, tuple[int, int, int]] = {}
        for slot in slots:
            raw = counters.lookup(struct.pack("=I", slot), classifier_layout.COUNTER.size * cpus)
            each = list(classifier_layout.COUNTER.iter_unpack(raw or b""))
            found[slot] = (sum(c[0] for c in each), sum(c[1] for c in each), sum(c[2] for c in each))
        return found

    def close(self) -> None:
        libbpf.close_all(self.programs, self.maps)

    def reset_counters(self, slots: list[int]) -> None:
        """Counters that begin anew, of rules that are new."""
        for slot in slots:
            self.maps["counters"].update(struct.pack("=I", slot), bytes(classifier_layout.COUNTER.size * possible_cpus()))

    def _take_over(self, earlier: Classifier) -> None:
        self._write_control(4, earlier.maps["control"].mapped[4:8])
        cpus = possible_cpus()
        size = min(self.maps["counters"].max_entries, earlier.maps["counters"].max_entries)
        for slot in range(size):
            key = struct.pack("=I", slot)
            value = earlier.maps["counters"].lookup(key, classifier_layout.COUNTER.size * cpus)
            if value and any(value):
                self.maps["counters"].update(key, value)

    def _peers(self, prefix: RulePrefix) -> libbpf.Map:
        return self.maps["peers4" if prefix.version == 4 else "peers6"]

    def _clear_generation(self, generation: int) -> None:
        for name, at in (("peers4", 4), ("peers6", 4), ("connections", 0)):
            for key in self.maps[name].all_keys():
                if struct.unpack_from("=I", key, at)[0] == generation:
                    self.maps[name].delete(key)

    def _write_interfaces(
        self, tables: Tables, datapath: Datapath, generation: int, inside: Callable[[Callable[[], None]], None]
    ) -> None:
        interfaces = self.maps["interfaces"]
        wanted = {struct.pack("=I", i.ifindex): i for i in datapath.interfaces}
        slots = {i.slot for i in datapath.interfaces}
        for key in interfaces.all_keys():
            if key not in wanted:
                slot = (interfaces.lookup(key) or key)[:4]
                if struct.unpack("=I", slot)[0] not in slots:
                    self.maps["devices"].delete(slot)
                interfaces.delete(key)
        for key, interface in wanted.items():
            before = interfaces.lookup(key)
            ids = list(classifier_layout.INTERFACE.unpack(before)[1:5]) if before else [0, 0, 0, 0]
            flags = classifier_layout.UPPER * interface.upper | classifier_layout.LAYER3 * interface.layer3
            for direction in (0, 1):
                ids[2 * generation + direction] = tables.places[interface.slot, direction]
            interfaces.update(key, classifier_layout.INTERFACE.pack(interface.slot, *ids, flags))
            self.maps["devices"].point(struct.pack("=I", interface.slot), key, inside)

    def _write_shapers(self, wanted: set[bytes]) -> None:
        if "shapers" not in self.maps:  # an earlier version loaded it
            return
        there = set(self.maps["shapers"].all_keys())
        for key in there - wanted:
            self.maps["shapers"].delete(key)
        for key in wanted - there:
            self.maps["shapers"].update(key, bytes(4))

    @staticmethod
    def _set_bytes(tables: Tables) -> bytes:
        flags = (
            classifier_layout.SET_PORTS * (tables.ports is not None)
            | classifier_layout.SET_CONNECTIONS * bool(tables.connections)
            | classifier_layout.SET_PEERS * bool(tables.peers)
            | classifier_layout.SET_PROTOCOLS * (tables.protocols is not None)
            | classifier_layout.SET_SHARE * any(rule.share is not None for rule in tables.rules)
        )
        return classifier_layout.SET.pack(len(tables.rules), flags, tables.without_ports, tables.others, tables.digest)

    @staticmethod
    def _set_at(generation: int) -> int:
        return classifier_layout.SETS_AT + generation * classifier_layout.SET.size

    def _write(self, name: str, size: int, index: int, data: bytes) -> None:
        self.maps[name].mapped[size * index : size * index + len(data)] = data

    def _read(self, name: str, size: int, index: int) -> bytes:
        return self.maps[name].mapped[size * index : size * (index + 1)]

    def _write_control(self, at: int, data: bytes) -> None:
        self.maps["control"].mapped[at : at + len(data)] = data


def _device_constants() -> bytes:
    """Where this kernel's structures hold a device's index and namespace; nothing when that is not known."""
    found = btf.offsets(*_DEVICE)
    if found is None:
        return b""
    ifindex, net, common, inode = found
    return struct.pack("=III", ifindex, net, common + inode)


__all__ = ["PROGRAMS", "STALE_NS", "Classifier"]
