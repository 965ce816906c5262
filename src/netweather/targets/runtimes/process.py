"""pid:N: the network namespace that a process lives in when it is asked for."""

from __future__ import annotations

from netweather.targets import _open_namespaces
from netweather.targets.model import Listing, Target, Watch
from netweather.targets.references import Reference
from netweather.targets.runtimes._polling import Polled


class Processes:
    """The runtime of the scheme pid. It lists nothing: `ps` does."""

    def open(self, reference: Reference, *, as_peer: bool = False) -> list[Target]:
        """The one namespace. Raises NetweatherError unknown-target (no such process), needs-root."""
        with _open_namespaces.ProcessEntry(int(reference.rest)) as process:
            fd = process.open_network()
            name = f"{process.command()}[{process.pid}]"
            return [_open_namespaces.held_target(fd, reference.text, name, "pid", pid=process.pid)]

    def watch(self, reference: Reference) -> Watch:
        """That namespace, looked for a few times a second: nobody tells when one comes or goes."""
        return Polled(self, reference)

    def listings(self) -> list[Listing]:
        """Nothing."""
        return []


RUNTIME = Processes()
