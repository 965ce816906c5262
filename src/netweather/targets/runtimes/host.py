"""host: the host's own network, which is process 1's and the kernel's. The one reference that may name it."""

from __future__ import annotations

from netweather.targets import _open_namespaces
from netweather.targets.model import Listing, Target, Watch
from netweather.targets.references import Reference
from netweather.targets.runtimes._polling import Polled


class HostRuntime:
    """The runtime of the scheme host. It lists nothing, so that nobody takes it by mistake."""

    def open(self, reference: Reference, *, as_peer: bool = False) -> list[Target]:
        """The one namespace. Raises NetweatherError needs-root when process 1 may not be looked at."""
        path = _open_namespaces.host_path()
        return [_open_namespaces.held_target(_open_namespaces.open_path(path), reference.text, "host", "host", path=path)]

    def watch(self, reference: Reference) -> Watch:
        """That namespace, looked for a few times a second: nobody tells when one comes or goes."""
        return Polled(self, reference)

    def listings(self) -> list[Listing]:
        """Nothing."""
        return []


RUNTIME = HostRuntime()
