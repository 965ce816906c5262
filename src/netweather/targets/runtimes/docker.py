"""docker:NAME, docker:ID and docker:label=KEY=VALUE: containers of a local Docker engine.

Nothing inside a container is run or looked at, so that images without a shell do; only its first process's namespace is opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

from netweather.errors import NetweatherError
from netweather.targets import _addresses, _open_namespaces, ids
from netweather.targets._failures import unknown_target
from netweather.targets.model import Listing, Target, Watch
from netweather.targets.references import Reference
from netweather.targets.runtimes._dockerapi import ApiContainer, DockerApi, EngineEvents

_LOOKS: Final = 4
_PAUSE: Final = 0.1
_REMEDIES: Final = {
    "created": "{command} start {name}",
    "exited": "{command} start {name}",
    "paused": "{command} unpause {name}",
    "restarting": "it keeps failing; see why: {command} logs {name}",
    "dead": "{command} rm {name}, and make it again",
    "removing": "make it again",
}


class DockerContainers:
    """The runtime of the scheme docker. connect: makes the client, at every use, so that DOCKER_HOST is read then."""

    def __init__(self, connect: Callable[[], DockerApi] = DockerApi.from_environment) -> None:
        self._connect = connect

    def open(self, reference: Reference, *, as_peer: bool = False) -> list[Target]:
        """The container's namespace, or those of all running containers with the label.

        Raises NetweatherError: unknown-target (names the nearest), ambiguous-target, target-not-running, target-changed,
        target-elsewhere, docker-unreachable, docker-failed, docker-host-unsupported, needs-root.
        """
        api = self._connect()
        label = reference.rest.removeprefix("label=")
        if label == reference.rest:
            return [open_container(api, find(api, reference.rest.removeprefix("/")), reference, as_peer=as_peer)]
        found = api.containers(every=True, labels=[label])
        if not found:
            raise unlabelled(api, label)
        return open_running(api, found, reference, f"no container with the label {label} is running", as_peer=as_peer)

    def listings(self) -> list[Listing]:
        """The running and paused containers; [] when there is no Docker here. Raises as `open` does of the engine."""
        try:
            api = self._connect()
            found = api.containers()
        except NetweatherError as error:
            if error.code.endswith("-unreachable") and isinstance(error.__cause__, FileNotFoundError):
                return []
            raise
        return [_listing(api, container) for container in found]

    def watch(self, reference: Reference) -> Watch:
        """Those containers, as they come and go: by name, by id, or by label."""
        word = reference.rest.removeprefix("/")
        key, labelled, value = word.removeprefix("label=").partition("=")
        if word.startswith("label=") and labelled:
            return ContainerWatch(self._connect, reference, lambda each: each.labels.get(key) == value)
        return ContainerWatch(self._connect, reference, lambda each: ids.means(word, each.id, each.name))

    def complete(self, word: str) -> str:
        """The word with an id in full in place of its beginning. Raises ambiguous-target, and what the engine's failures raise."""
        known = self._known(word)
        return word if word in known.values() else ids.complete(word, known) or word

    def _known(self, word: str) -> dict[str, str]:
        """By id, the name of everything that the word may name."""
        return {each.id: each.name for each in self._connect().containers(every=True)}


class ContainerWatch:
    """The containers that fit, as a Watch: keys are their ids. connect: makes the client; fits: whether a container is meant."""

    every = 10.0

    def __init__(self, connect: Callable[[], DockerApi], reference: Reference, fits: Callable[[ApiContainer], bool]) -> None:
        self._connect, self._reference, self._fits = connect, reference, fits
        self._events: EngineEvents | None = None
        self._closed = False

    def present(self) -> set[str]:
        return {each.id for each in self._connect().containers() if each.state in ("running", "paused") and self._fits(each)}

    def open(self, key: str) -> Target | None:
        api = self._connect()
        found = api.inspect(key)
        # A paused one would come back untouched; its event follows.
        if found is None or found.state != "running":
            return None
        return open_container(api, found, self._reference)

    def changes(self) -> Iterator[str]:
        self._events = self._connect().events()
        if not self._closed:
            yield from self._events

    def close(self) -> None:
        self._closed = True
        if self._events is not None:
            self._events.close()


def find(api: DockerApi, word: str) -> ApiContainer:
    """The container of that name or id. Raises unknown-target."""
    found = api.inspect(word)  # the engine also takes the beginning of an id
    if found is not None and ids.means(word, found.id, found.name):
        return found
    every = api.containers(every=True)
    what = f"no container has the name {word!r}"
    begun = ids.unknown(what, word, (container.id for container in every), f"{api.product.command}:{{}}")
    if begun is not None:
        raise begun
    running = [container.name for container in every if container.state == "running"]
    raise unknown_target(what, word, running, "running containers", "list possible targets: netweather targets")


def unlabelled(api: DockerApi, label: str) -> NetweatherError:
    """unknown-target for a label that no container has, naming the values that its key does have."""
    known = {f"{key}={value}" for container in api.containers() for key, value in container.labels.items()}
    key = label.partition("=")[0]
    same_key = {text for text in known if text.partition("=")[0] == key}
    what = f"no container has the label {label}"
    return unknown_target(
        what, label, same_key or known, "labels on running containers", "list possible targets: netweather targets"
    )


def open_running(
    api: DockerApi, found: Iterable[ApiContainer], reference: Reference, none_runs: str, *, as_peer: bool
) -> list[Target]:
    """Open those of the containers that run. Stopped ones are passed over; paused and restarting ones are refused, since they
    would come back untouched. none_runs: what to say when all are stopped. Raises as DockerContainers.open does."""
    awake = [container for container in found if container.state in ("running", "paused", "restarting")]
    if not awake:
        names = ", ".join(f"{container.name} is {container.state}" for container in found)
        raise NetweatherError(
            "target-not-running", none_runs, names, f"{api.product.command} start {' '.join(each.name for each in found)}"
        )
    with ExitStack() as undo:
        targets = []
        for container in awake:
            looked_up = api.inspect(container.id)
            if looked_up is None:
                raise _changed(api, container)
            targets.append(undo.enter_context(open_container(api, looked_up, reference, as_peer=as_peer)))
        undo.pop_all()
    return targets


def open_container(api: DockerApi, container: ApiContainer, reference: Reference, *, as_peer: bool = False) -> Target:
    """Open a container's namespace, sure that it is this container's: Docker is asked again after opening.

    container: as inspected. Raises target-not-running, target-changed, target-elsewhere, host-namespace, needs-root.
    """
    same = False
    if not as_peer:
        _refuse_shared(api, container)
    for _ in range(_LOOKS):
        _refuse_idle(api, container, as_peer=as_peer)
        target = _try_open(container, reference)
        now = api.inspect(container.id)
        same = now is not None and (now.pid, now.started_at) == (container.pid, container.started_at)
        if target is not None and same:
            return target
        if target is not None:
            target.close()
        if now is None:
            break
        container = now
        if same:
            time.sleep(_PAUSE)  # noqa: TID251  (Docker learns of an exit some milliseconds late; it has nothing to poll)
    raise _elsewhere(api, container) if same else _changed(api, container)


def _try_open(container: ApiContainer, reference: Reference) -> Target | None:
    """Open the namespace of the container's first process; None when there is no such process or it is not the container's."""
    return _open_namespaces.open_of_process(
        reference,
        container.name,
        pid=container.pid,
        ids=(container.id,),
        path=container.sandbox,
        addresses=container.addresses,
    )


def _refuse_idle(api: DockerApi, container: ApiContainer, *, as_peer: bool) -> None:
    if container.state == "running" or (as_peer and container.state == "paused"):
        return
    remedy = _REMEDIES.get(container.state, "{command} start {name}").format(command=api.product.command, name=container.name)
    raise NetweatherError(
        "target-not-running",
        f"the container {container.name!r} is not running",
        f"{api.product.name} says that it is {container.state}",
        remedy,
    )


def _refuse_shared(api: DockerApi, container: ApiContainer) -> None:
    """With an engine in a namespace of its own, `--network host` is not this host's: resolving could not tell it."""
    if container.network_mode == "host":
        raise NetweatherError(
            "host-namespace",
            f"the container {container.name!r} has no network of its own",
            f"it runs with --network host: it shares the network of the machine that {api.product.name} runs on",
            "name a container with its own network, or write host if you mean the host",
        )


def _changed(api: DockerApi, container: ApiContainer) -> NetweatherError:
    return NetweatherError(
        "target-changed",
        f"the container {container.name!r} was replaced while Netweather examined it",
        "it restarted or was removed, more than once",
        f"try again when it runs steadily; see: {api.product.command} ps",
    )


def _elsewhere(api: DockerApi, container: ApiContainer) -> NetweatherError:
    return NetweatherError(
        "target-elsewhere",
        f"the container {container.name!r} cannot be reached from this process",
        f"process {container.pid} on this machine is not the container's: the engine runs in a virtual machine or in "
        f"another pid namespace",
        f"run netweather where the containers run, and in the host's pid namespace ({api.product.command} run --pid=host)",
    )


def _listing(api: DockerApi, container: ApiContainer) -> Listing:
    """One line of the list; whatever goes wrong with this container becomes its note."""
    scheme = api.product.command
    word = container.id if ids.is_id(container.name) else container.name
    reference = Reference(scheme, word, f"{scheme}:{word}")
    listing = Listing(
        reference.text,
        scheme,
        container.name,
        container.state,
        id=container.id,
        image=container.image,
        compose=container.compose,
        addresses=container.addresses,
    )
    try:
        target = open_container(api, find(api, container.id), reference, as_peer=True)
    except NetweatherError as error:
        return replace(listing, note=error.why or error.what)
    with target:
        listing = replace(listing, pid=target.pid, identity=target.identity)
        if container.network_mode == "host" or (target.dev, target.ino) in _open_namespaces.host_identities():
            return replace(listing, note="cannot be a target: it shares the host's network")
        seen = _addresses.look(target)
    return replace(listing, addresses=seen.addresses, interfaces=seen.interfaces, note=seen.note)


RUNTIME = DockerContainers()
