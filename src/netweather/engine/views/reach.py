"""Which of a target's interfaces its conditions act on, which not, and what the user should know of that. Reads only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from netweather.conditions import Match, NetworkCondition
from netweather.engine import entries
from netweather.errors import NetweatherError
from netweather.journal import Entry
from netweather.kernel.bpf import hooks
from netweather.kernel.datapath.seam import TargetKernel
from netweather.kernel.datapath.spec import Observed, RulePrefix
from netweather.kernel.sockets.socket_owners import holders
from netweather.kernel.sockets.surroundings import PacketReader, Surroundings
from netweather.planning.rules import PlainRule
from netweather.targets import Target, resolvers

if TYPE_CHECKING:
    from netweather.engine.core import Engine


def covers(engine: Engine, identity: str, fd: int) -> bool:
    """Whether every interface that the conditions of a target mean is covered, and no other. For the keeper."""
    with engine.journal.locked(identity):
        entry = engine.journal.read(identity)
        if entry is None:
            return True
        with engine.kernel(entry.target, fd, entry.hook) as kernel:
            return is_covered(entry, kernel.observe())


def is_covered(entry: Entry, observed: Observed) -> bool:
    """The same of what is seen already."""
    before = {(i.name, i.ifindex) for i in entry.interfaces}
    meant = {(i.name, i.ifindex) for i in entries.interfaces(entry, observed)}
    return before == meant and {name for name, _ in before} <= observed.attached


def notes(observed: Observed, condition: NetworkCondition) -> list[str]:
    """What the user should know: what clsact costs, what of the target a condition leaves out, what forwarding means for it."""
    named = {name for rule in condition.rules for name in rule.match.interfaces}
    if all(rule.match.interfaces for rule in condition.rules):
        return list(hooks.told(observed.hook))
    found = [
        *hooks.told(observed.hook),
        *(
            f"{each.name} is left out: {each.why}" + (f"; --interface {each.name} includes it" if each.fit else "")
            for each in observed.left_out
            if each.up and each.name not in named
        ),
    ]
    if observed.forwards:
        found.append(
            "this target forwards packets: a rule affects each of them once, where it comes in if the rule means "
            "incoming packets; "
            "--interface names the network that you mean"
        )
    return found


def refuse_hidden_peers(
    kernel: TargetKernel, observed: Observed, condition: NetworkCondition, peers: dict[str, tuple[RulePrefix, ...]]
) -> None:
    """Raises NetweatherError(code="left-out-interface") for a peer whose packets no covered interface shows."""
    hiding = {each.ifindex: each for each in observed.left_out if each.hides}
    if not hiding:
        return
    words = {word for rule in condition.rules if not rule.match.interfaces for word in rule.match.to}
    for word in sorted(words):
        addresses = {
            str(prefix[min(1, prefix.num_addresses - 1)] if prefix.num_addresses > 2 else prefix[0]) for prefix in peers[word]
        }
        for address, ifindex in kernel.ways_out(sorted(addresses)).items():
            if ifindex in hiding:
                one = hiding[ifindex]
                raise NetweatherError(
                    "left-out-interface",
                    f"packets to {word} leave by {one.name}, which Netweather leaves out",
                    f"the route to {address} leads there; {one.why}",
                    f"name it: --interface {one.name}" if one.fit else "choose a peer behind another interface",
                )


DNS: Final = 53
_TCP, _UDP = 6, 17
_MOST: Final = 3
"""So many processes are named."""


def unreached(
    rules: tuple[PlainRule, ...], target: Target, kernel: TargetKernel, observed: Observed,
    peers: Mapping[str, tuple[RulePrefix, ...]], interfaces: Sequence[str],
) -> tuple[str, ...]:  # fmt: skip
    """The sentences, each once. What can't be looked up is left out: no note is worth a failure."""
    found = list[str]()
    matches = [plain.rule.match for plain in rules]
    inward = any(match.direction != "egress" for match in matches)
    with contextlib.suppress(NetweatherError, OSError):
        near = kernel.surroundings(
            addresses=any(match.family or match.to for match in matches),
            listening=_protocols(matches),
            readers=inward,
        )
        for match in matches:
            found += _of_match(match, near, peers)
        found += _readers(near.readers, target, dict(observed.interfaces), interfaces)
        if any(_takes(match, DNS) for match in matches):
            found += _resolver(target)
    found += _down(matches, observed.down, interfaces)
    found += _rates(rules, interfaces)
    return tuple(dict.fromkeys(found))


def _protocols(matches: list[Match]) -> frozenset[int]:
    """Of the listeners that are looked at: UDP's only when UDP is named."""
    named = [match.protocol for match in matches if match.ports]
    return frozenset({_UDP if protocol == "udp" else _TCP for protocol in named if protocol in (None, "tcp", "udp")})


def _takes(match: Match, port: int) -> bool:
    return any(each.first <= port <= each.last for each in match.ports)


def _of_match(match: Match, near: Surroundings, peers: Mapping[str, tuple[RulePrefix, ...]]) -> Iterator[str]:
    for port, reachable in near.listening:
        if not reachable and any(each.first == each.last == port for each in match.ports):
            yield (
                f"the target listens on port {port} on loopback only: no condition affects these connections; "
                "make the server listen on all addresses, and connect to it from another namespace"
            )
    families = {ip_address(address).version for address in near.addresses}
    if match.family and int(match.family[-1]) not in families:
        yield f"the target has no IPv{match.family[-1]} address: only packets that it forwards can match the family {match.family}"
    for word in match.to:
        prefixes = peers.get(word, ())
        if prefixes and all(str(each.network_address) in near.addresses and each.num_addresses == 1 for each in prefixes):
            yield f"{word} is the target itself: what it sends to itself stays on loopback, which no condition affects"
        elif prefixes and not {each.version for each in prefixes} & families:
            versions = " and ".join(f"IPv{version}" for version in sorted({each.version for each in prefixes}))
            yield f"the target has no {versions} address: only packets that it forwards can match {word}"


def _readers(
    readers: tuple[PacketReader, ...], target: Target, indexes: Mapping[str, int], interfaces: Sequence[str]
) -> Iterator[str]:
    names = {indexes[name]: name for name in interfaces if name in indexes}
    concerned = [each for each in readers if not each.ifindex or each.ifindex in names]
    if not concerned:
        return
    known = holders([each.inode for each in concerned], target.ino)
    processes = list(dict.fromkeys(f"{one.name} (process {one.pid})" for one in known.values())) or ["a process"]
    more = [f"{len(processes) - _MOST} more"] if len(processes) > _MOST else []
    every = any(not each.ifindex for each in concerned)
    where = "every interface" if every else ", ".join(sorted({names[each.ifindex] for each in concerned}))
    yield (
        f"{' and '.join([*processes[:_MOST], *more])} reads all packets of {where} directly (AF_PACKET), in front of "
        f"any condition: "
        "incoming packets reach it unchanged, and delayed ones a second time; set conditions for these on the peer, "
        "with --direction egress"
    )


def _resolver(target: Target) -> Iterator[str]:
    addresses = resolvers(target)
    if addresses and all(ip_address(address).is_loopback for address in addresses):
        yield (
            f"the target's resolver is {addresses[0]}, on loopback: no rule matches lookups by processes, and port "
            f"{DNS} matches only queries of that resolver to other servers; to affect lookups, write another name "
            f"server in the target's /etc/resolv.conf "
            "(docker run -v ./resolv.conf:/etc/resolv.conf)"
        )


def _down(matches: list[Match], down: frozenset[str], interfaces: Sequence[str]) -> Iterator[str]:
    named = {name for match in matches for name in match.interfaces}
    for name in sorted(down & (named or (set(interfaces) if down >= set(interfaces) else set()))):
        yield f"{name} is down: no packet matches there until it is up"


def _rates(rules: tuple[PlainRule, ...], interfaces: Sequence[str]) -> Iterator[str]:
    for rule in (plain.rule for plain in rules):
        names = [name for name in interfaces if not rule.match.interfaces or name in rule.match.interfaces]
        if len(names) > 1 and (rule.condition.rate or rule.condition.trace):
            some = ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")
            yield f"a rate is per interface and direction: {some} have the whole rate each, not a share of it"
