"""Which of a target's interfaces its conditions act on, which not, and what the user should know of that. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netweather.conditions import NetworkCondition
from netweather.engine import entries
from netweather.errors import NetweatherError
from netweather.journal import Entry
from netweather.kernel import hooks
from netweather.kernel.seam import TargetKernel
from netweather.kernel.spec import Observed, Prefix

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
    kernel: TargetKernel, observed: Observed, condition: NetworkCondition, peers: dict[str, tuple[Prefix, ...]]
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
