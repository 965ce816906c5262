"""The failures of targets/ that several modules share, and the table of all its codes. Nothing here looks anything up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from netweather.errors import NetweatherError

CODES: Final = {
    "bad-target": "The target's reference is not of its scheme's form",
    "bad-peer": "The peer is no address, prefix, host name or reference",
    "unknown-scheme": "No such scheme of target references",
    "scheme-missing": "A bare name was given where a reference is wanted",
    "unknown-target": "Nothing of that name is there",
    "ambiguous-target": "The reference matches several targets, but one is needed",
    "target-not-running": "The container is there and not running",
    "target-changed": "The target was replaced while Netweather examined it",
    "target-elsewhere": "The container runs where this process cannot reach its namespace",
    "not-a-namespace": "The file is not a network namespace",
    "host-namespace": "The target is the host's own network",
    "needs-root": "The kernel did not let this user open the namespace",
    "docker-unreachable": "Docker's socket does not answer",
    "docker-failed": "Docker answered with an error",
    "docker-host-unsupported": "DOCKER_HOST is not a local socket",
    "podman-unreachable": "Podman's API socket does not answer",
    "podman-failed": "Podman answered with an error",
    "podman-host-unsupported": "CONTAINER_HOST is not a local socket",
    "cri-unreachable": "The container runtime's socket does not answer",
    "cri-unsupported": "The container runtime does not speak the interface",
    "cri-failed": "The container runtime answered with an error",
    "no-grpc": "grpcio is not installed",
    "unresolvable-peer": "The host name could not be resolved",
    "peer-without-address": "The peer has no address",
}
"""Every code that targets/ raises, with its title."""


def nearest(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The names of `known` most like `word`, best first: those that contain it or resemble it; [] when none does."""
    import difflib  # 6 ms, for failures only

    names = sorted(set(known))
    lowered = {name.lower(): name for name in names}
    alike = [lowered[name] for name in difflib.get_close_matches(word.lower(), lowered, n=count, cutoff=0.55)]
    holding = [name for name in names if word and word.lower() in name.lower()]
    return list(dict.fromkeys(alike + holding))[:count]


def unknown_target(what: str, word: str, known: Iterable[str], noun: str, remedy: str) -> NetweatherError:
    """'unknown-target' naming the nearest of `known`, or all when they are few; noun: what they are, in the plural."""
    names = sorted(set(known))
    close = nearest(word, names)
    if close:
        why = f"similar {noun}: {', '.join(close)}"
    elif names:
        why = f"{noun}: {', '.join(names[:6])}{', …' if len(names) > 6 else ''}"
    else:
        why = f"no {noun} exist"
    return NetweatherError("unknown-target", what, why, remedy)


def needs_root(what: str, why: str) -> NetweatherError:
    """'needs-root': what could not be opened, and the kernel's reason."""
    return NetweatherError(
        "needs-root", what, why, "run netweather as root (sudo netweather …) or through an agent's socket (NETWEATHER_AGENT)"
    )
