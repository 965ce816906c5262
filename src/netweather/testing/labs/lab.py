"""A lab: hosts joined by links, with processes and conditions, for tests and demos without Docker. Needs root.

    with Lab("client", "server") as lab:
        lab["server"].start("python3", "-m", "http.server", "80", ready="tcp:80")
        with lab.degrade("client", to="server", delay="100ms"):
            lab["client"].run("curl", "-s", "http://server/")
Everything goes away at its end, also when this process is killed (lab_keeper). Nothing in it can reach anything outside.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from netweather.errors import NetweatherError
from netweather.host import namespace_processes, wiring
from netweather.kernel import namespaces
from netweather.testing.labs import lab_keeper
from netweather.testing.labs.lab_hosts import Host
from netweather.testing.labs.lab_spec import LabSpec, LinkSpec, load_lab, make_spec
from netweather.testing.network import Degraded, Network, Parted


class Lab:
    """A context manager; `lab["client"]` is a host. Raises UsageError(code="bad-lab"), NetweatherError(code="lab-failed")."""

    def __init__(
        self,
        *hosts: str,
        links: Sequence[Sequence[str] | LinkSpec] | None = None,
        spec: LabSpec | None = None,
        network: Network | None = None,
    ) -> None:
        """hosts: names; links: tuples of names, two on a wire, more on a switch (default: all on one switch).

        spec: instead of both; network: who makes its conditions (default: its own, in the name of "lab").
        """
        self.spec = spec if spec is not None else make_spec(hosts, links)
        self.network = network or Network("lab")
        self.hosts: dict[str, Host] = {}
        self._stack = contextlib.ExitStack()
        self._stem = ""

    @classmethod
    def load(cls, source: str | Path, network: Network | None = None) -> Self:
        """A lab from YAML: a Path's contents, or the text itself. Raises UsageError, OSError."""
        return cls(spec=load_lab(source.read_text() if isinstance(source, Path) else source), network=network)

    def __enter__(self) -> Self:
        for beginning in lab_keeper.forsaken():
            lab_keeper.remove_forsaken(beginning)
        self._stem = lab_keeper.stem()
        with contextlib.ExitStack() as stack:
            stack.callback(lab_keeper.remove, self._stem)
            stack.enter_context(_kept(self._stem))
            self._make(stack)
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    def __getitem__(self, name: str) -> Host:
        """A host. Raises UsageError(code="unknown-host")."""
        return self.hosts[self.spec.known(name)]

    @property
    def folder(self) -> Path:
        """Where logs are while the lab lasts; for the processes' own files too."""
        return lab_keeper.folder_of(self._stem)

    def degrade(self, host: str | Sequence[str], profile: str | None = None, /, **words: Any) -> Degraded:
        """A condition on hosts; `to` takes their neighbours' names. The words are those of `Network.degrade`."""
        if "to" in words:
            words["to"] = self.peers(words["to"])
        return self.network.degrade(self.references(host), profile, **words)

    def partition(self, one: str | Sequence[str], other: str | Sequence[str], **words: Any) -> Parted:
        """Nothing gets through between two sides, both ways, silently."""
        return self.network.partition(self.references(one), self.peers(other), **words)

    def references(self, hosts: str | Sequence[str]) -> list[str]:
        """Hosts as targets. Raises UsageError(code="unknown-host")."""
        return [self[name].reference for name in _several(hosts)]

    def peers(self, hosts: str | Sequence[str]) -> list[str]:
        """Hosts as all their addresses; what is no host's name stays as it is."""
        found = ((self.hosts[one].addresses if one in self.hosts else [one]) for one in _several(hosts))
        return list(itertools.chain.from_iterable(found))

    def logs(self) -> dict[str, str]:
        """What each process printed, by "host-name"."""
        return {f"{host.name}-{name}": child.text() for host in self.hosts.values() for name, child in host.processes.items()}

    # inside

    def _make(self, stack: contextlib.ExitStack) -> None:
        try:
            self.folder.mkdir(mode=0o755)
            for name in self.spec.hosts:
                path = lab_keeper.FOLDER / f"{self._stem}-{name}"
                namespaces.make(path)
                self.hosts[name] = Host(name, path, self.spec, self.folder)
                stack.callback(self.hosts[name].close)
                wiring.settle(self.hosts[name].namespace)
            for number, link in enumerate(self.spec.links):
                self._join(number, link)
        except OSError as error:
            what, remedy = "the lab's network could not be made", "run as root; in a container, with --privileged"
            raise NetweatherError("lab-failed", what, str(error), remedy) from error

    def _join(self, number: int, link: LinkSpec) -> None:
        hosts = [self.hosts[name] for name in link.hosts]
        ends = [next(end for end in host.ends if end.link == number) for host in hosts]
        if len(hosts) == 2:
            wiring.join(hosts[0].namespace, ends[0].device, hosts[1].namespace, ends[1].device)
        else:
            path = lab_keeper.FOLDER / f"{self._stem}-switch.{number}"
            namespaces.make(path)
            with namespaces.opened(path) as middle:
                wiring.settle(middle)
                for host, end in zip(hosts, ends, strict=True):
                    wiring.join(host.namespace, end.device, middle, f"port-{hosts.index(host)}")
                wiring.switch(middle, [f"port-{place}" for place in range(len(hosts))])
        for host, end in zip(hosts, ends, strict=True):
            wiring.raise_device(host.namespace, end.device, (f"{end.v4}/{end.prefix}", f"{end.v6}/{end.prefix6}"))

    def _start(self, stack: contextlib.ExitStack) -> None:
        for condition in self._conditions():
            stack.enter_context(condition)
        for name, processes in self.spec.hosts.items():
            for process in processes:
                ready = process.ready.words if process.ready else None
                self.hosts[name].start(*process.command, ready=ready, name=process.name, environment=process.environment)

    def _conditions(self) -> Iterator[Degraded]:
        """Of the links: on a wire at the first host, in both directions (so that a profile's "up" is the first one's);
        on a switch at each host for what it sends, so that a packet meets one condition."""
        for number, link in enumerate(self.spec.links):
            words = {"allow_unmatched": True, **link.words}
            profile = words.pop("profile", None)
            if not link.words:
                continue
            at = link.hosts[:1] if len(link.hosts) == 2 else link.hosts
            direction = {} if len(link.hosts) == 2 else {"direction": "egress"}
            for name in at:
                device = next(end.device for end in self.hosts[name].ends if end.link == number)
                yield self.network.degrade(self.hosts[name].reference, profile, **{"interface": device, **direction, **words})


@contextlib.contextmanager
def _kept(beginning: str) -> Iterator[None]:
    """The keeper, for as long as the lab lasts."""
    with namespace_processes.beside(Path(lab_keeper.__file__), beginning):
        yield


def _several(words: str | Sequence[str]) -> list[str]:
    return [words] if isinstance(words, str) else list(words)
