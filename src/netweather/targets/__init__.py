"""A reference ("docker:shop-api", "netns:db", "pid:4711") becomes a Target: a network namespace, held open.

One module per runtime behind `model.Runtime`; `references.SCHEMES` names them all. Here nothing is changed, no container is run
or entered for more than opening an rtnetlink socket, and nothing is known of conditions. Heavy modules are imported at first use.
"""

from netweather.targets._failures import CODES
from netweather.targets.following import Follower, Gone, Started, TargetEvent, follow
from netweather.targets.liveness import alive, exit_descriptor, is_named, occupants
from netweather.targets.model import Address, Listing, Peer, Prefix, Runtime, Target
from netweather.targets.references import SCHEMES, Reference, Scheme, parse
from netweather.targets.resolving import complete, list_targets, resolve, resolve_all

__all__ = [
    "CODES",
    "SCHEMES",
    "Address",
    "TargetEvent",
    "Follower",
    "Gone",
    "Listing",
    "Peer",
    "Prefix",
    "Reference",
    "Runtime",
    "Scheme",
    "Started",
    "Target",
    "alive",
    "complete",
    "exit_descriptor",
    "follow",
    "is_named",
    "list_targets",
    "occupants",
    "parse",
    "resolve",
    "resolve_all",
    "resolve_peers",
    "resolvers",
]


def resolve_peers(reference: str, target: Target | None = None) -> tuple[Peer, ...]:
    """The prefixes of a peer: see `peers.resolve_peers`, which is imported at first use."""
    from netweather.targets import peers

    return peers.resolve_peers(reference, target)


def resolvers(target: Target) -> tuple[str, ...]:
    """The name servers of a target: see `_names.resolvers`, which is imported at first use."""
    from netweather.targets import _names

    return _names.resolvers(target)
