"""netns:NAME and netns:/PATH: namespaces that have a file, such as those of `ip netns add` and of CNI plugins."""

from __future__ import annotations

import os
from typing import Final

from netweather.errors import NetweatherError
from netweather.targets import _addresses, _open_namespaces
from netweather.targets._failures import unknown_target
from netweather.targets.model import Listing, Target, Watch
from netweather.targets.references import Reference
from netweather.targets.runtimes._polling import Polled

DIRECTORY: Final = "/run/netns"


class NamedNamespaces:
    """The runtime of the scheme netns. directory: where names are files."""

    def __init__(self, directory: str = DIRECTORY) -> None:
        self.directory = directory

    def open(self, reference: Reference, *, as_peer: bool = False) -> list[Target]:
        """The one namespace. Raises NetweatherError unknown-target (names the nearest), not-a-namespace, needs-root."""
        path = self.path_of(reference.rest)
        name = os.path.basename(path) if os.path.dirname(path) == self.directory else path
        try:
            fd = _open_namespaces.open_path(path)
        except NetweatherError as error:
            if error.code != "unknown-target" or name == path:
                raise
            what = f"no namespace has the name {name!r}"
            raise unknown_target(what, name, self.names(), "named namespaces", "list them with: ip netns") from error
        return [_open_namespaces.held_target(fd, reference.text, name, "netns", path=path)]

    def path_of(self, word: str) -> str:
        """The file that NAME or /PATH stands for."""
        return word if word.startswith("/") else f"{self.directory}/{word}"

    def names(self) -> list[str]:
        """The names there are, sorted; [] when there are none."""
        try:
            return sorted(os.listdir(self.directory))
        except OSError:
            return []

    def watch(self, reference: Reference) -> Watch:
        """That namespace, looked for a few times a second: nobody tells when one comes or goes."""
        return Polled(self, reference)

    def listings(self) -> list[Listing]:
        """All named namespaces, one by one."""
        return [self._listing(name) for name in self.names()]

    def _listing(self, name: str) -> Listing:
        try:
            fd = _open_namespaces.open_path(self.path_of(name))
        except NetweatherError as error:
            state = "unknown" if error.code == "needs-root" else "stale"
            return Listing(f"netns:{name}", "netns", name, state, note=error.why)
        with _open_namespaces.held_target(fd, f"netns:{name}", name, "netns") as target:
            seen = _addresses.look(target)
        return Listing(
            f"netns:{name}", "netns", name, "present",
            addresses=seen.addresses, interfaces=seen.interfaces, identity=target.identity, note=seen.note,
        )  # fmt: skip


RUNTIME = NamedNamespaces()
