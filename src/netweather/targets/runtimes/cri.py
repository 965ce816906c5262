"""pod:NAMESPACE/NAME, pod:NAMESPACE/label=KEY=VALUE, cri:ID and cri:label=KEY=VALUE: pods of a CRI runtime on this node.

A pod's network is its sandbox's, which its containers share and which outlives their restarts: whichever of them is named, the
target is the pod, once. Nothing inside a container is run or looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

from netweather.errors import NetweatherError
from netweather.targets import _addresses, _open_namespaces, ids
from netweather.targets._failures import unknown_target
from netweather.targets.model import Listing, Target, Watch
from netweather.targets.references import Reference, parse
from netweather.targets.runtimes._criapi import CriApi, Sandbox
from netweather.targets.runtimes._grpc import GrpcStream

_LOOKS: Final = 4
_POD_UID: Final = "io.kubernetes.pod.uid"
_SEE: Final = "list possible targets: netweather targets"


class CriSandboxes:
    """The runtime of the schemes pod and cri. connect: makes the client, at every use, so that the environment is read then."""

    def __init__(self, connect: Callable[[], CriApi] = CriApi.from_environment) -> None:
        self._connect = connect

    def open(self, reference: Reference, *, as_peer: bool = False) -> list[Target]:
        """The sandboxes' namespaces, one for each pod that is ready.

        Raises NetweatherError: unknown-target (names the nearest), target-not-running, target-changed,
        target-elsewhere, host-namespace, cri-unreachable, cri-unsupported, cri-failed, no-grpc, needs-root.
        """
        api = self._connect()
        found = select(api, reference)
        ready = [sandbox for sandbox in found if sandbox.ready]
        if not ready:
            names = ", ".join(sorted({sandbox.name for sandbox in found}))
            raise NetweatherError(
                "target-not-running", f"no pod of {reference.text} is ready on this node", names, "see why: kubectl describe pod"
            )
        with ExitStack() as undo:
            targets = [undo.enter_context(open_sandbox(api, each.id, reference, as_peer=as_peer)) for each in ready]
            undo.pop_all()
        return targets

    def watch(self, reference: Reference) -> Watch:
        """Those pods, as they come and go; their containers may restart as they like."""
        return SandboxWatch(self._connect, reference)

    def complete(self, word: str) -> str:
        """The word with an id in full in place of its beginning. Raises ambiguous-target, and what the runtime's failures raise."""
        return (ids.complete(word, _all_ids(self._connect())) if ids.is_beginning(word) else None) or word

    def listings(self) -> list[Listing]:
        """The pods that are ready; [] when there is no runtime here, or one that does not speak CRI. Raises as `open`."""
        try:
            api = self._connect()
            found = api.sandboxes()
        except NetweatherError as error:
            missing = error.code == "cri-unreachable" and isinstance(error.__cause__, FileNotFoundError)
            if missing or error.code == "cri-unsupported":
                return []
            raise
        return [_listing(api, sandbox) for sandbox in found if sandbox.ready]


class SandboxWatch:
    """The ready pods of a reference, as a Watch: keys are their sandboxes' ids, and a sandbox never gets another namespace.

    Runtimes before CRI 1.26 (containerd before 1.7) have no events: there the list is asked for several times a second.
    """

    def __init__(self, connect: Callable[[], CriApi], reference: Reference) -> None:
        self.every = 0.4
        self._connect, self._reference = connect, reference
        self._events: GrpcStream | None = None
        self._closed = False

    def present(self) -> set[str]:
        try:
            return {sandbox.id for sandbox in select(self._connect(), self._reference) if sandbox.ready}
        except NetweatherError as error:
            if error.code != "unknown-target":
                raise
            return set()

    def open(self, key: str) -> Target | None:
        try:
            return open_sandbox(self._connect(), key, self._reference)
        except NetweatherError as error:
            if error.code != "target-changed":
                raise
            return None

    def changes(self) -> Iterator[str]:
        self._events = self._connect().events()
        try:
            for event in () if self._closed else self._events:
                self.every = 10.0
                yield str(event.pod_sandbox_status.id or event.container_id)
        except NetweatherError as error:
            self.every = 0.4
            if error.code != "cri-unsupported":
                raise

    def close(self) -> None:
        self._closed = True
        if self._events is not None:
            self._events.close()


def select(api: CriApi, reference: Reference) -> list[Sandbox]:
    """The sandboxes that a reference names, ready or not, at least one. Raises unknown-target."""
    if reference.scheme == "pod":
        namespace, _, word = reference.rest.partition("/")
        found = _of_pod(api, namespace, word)
    elif reference.rest.startswith("label="):
        found = _with_label(api, reference.rest)
    else:
        found = _of_id(api, reference.rest)
    what = f"{reference.text} does not exist on this node"
    begun = ids.unknown(what, reference.rest, _all_ids(api), "cri:{}") if not found and reference.scheme == "cri" else None
    if begun is not None:
        raise begun
    if not found:
        known = [sandbox.name for sandbox in api.sandboxes() if sandbox.ready]
        raise unknown_target(what, reference.rest, known, "pods on this node", _SEE)
    return found


def _of_pod(api: CriApi, namespace: str, word: str) -> list[Sandbox]:
    if word.startswith("label="):
        return [sandbox for sandbox in _with_label(api, word) if sandbox.name.startswith(f"{namespace}/")]
    return [sandbox for sandbox in api.sandboxes() if sandbox.name == f"{namespace}/{word}"]


def _with_label(api: CriApi, word: str) -> list[Sandbox]:
    key, _, value = word.removeprefix("label=").partition("=")
    return api.sandboxes(labels={key: value})


def _of_id(api: CriApi, word: str) -> list[Sandbox]:
    """Of a sandbox's id or a container's."""
    holders = {word, *(each.sandbox for each in api.containers() if each.id == word)}
    return [sandbox for sandbox in api.sandboxes() if sandbox.id in holders]


def _all_ids(api: CriApi) -> list[str]:
    """Of sandboxes and of their containers."""
    return [*(each.id for each in api.sandboxes()), *(each.id for each in api.containers())]


def open_sandbox(api: CriApi, id: str, reference: Reference, *, as_peer: bool = False) -> Target:  # noqa: A002 - CRI's word
    """Open a sandbox's namespace, sure that it is this sandbox's: the runtime is asked again after opening.

    Raises target-not-running, target-changed, target-elsewhere, host-namespace, needs-root.
    """
    sandbox = api.inspect(id)
    for _ in range(_LOOKS):
        if sandbox is None or not sandbox.ready:
            raise _gone(reference, sandbox)
        if sandbox.on_host and not as_peer:
            raise _on_host(sandbox)
        target = _try_open(sandbox, reference)
        now = api.inspect(id)
        if target is not None and now is not None and now.ready and (now.pid, now.path) == (sandbox.pid, sandbox.path):
            return target
        if target is not None:
            target.close()
        elif now == sandbox:
            raise _elsewhere(sandbox)
        sandbox = now
    raise _gone(reference, sandbox)


def pods_by_uid(api: CriApi | None = None) -> dict[str, str]:
    """The sandboxes that are ready, by the uid of their pod, as kubelets label them. Raises as `CriApi.sandboxes`."""
    found = (api or CriApi.from_environment()).sandboxes()
    return {each.labels[_POD_UID]: each.id for each in reversed(found) if each.ready and _POD_UID in each.labels}


def references_by_address(sandboxes: Iterable[str], api: CriApi | None = None) -> dict[str, str]:
    """cri:ID of those sandboxes that have a network of their own, by each of their addresses. Raises as `CriApi.sandboxes`."""
    api = api or CriApi.from_environment()
    found = [inspected for each in sandboxes if (inspected := api.inspect(each)) is not None and not inspected.on_host]
    return {str(address): f"cri:{each.id}" for each in found for address in each.addresses}


def open_pod(sandbox: str) -> Target:
    """The network of a sandbox by its whole id, for whoever closes it. Raises as `open_sandbox`."""
    return open_sandbox(CriApi.from_environment(), sandbox, parse(f"cri:{sandbox}"))


def _try_open(sandbox: Sandbox, reference: Reference) -> Target | None:
    if sandbox.pid:
        return _open_namespaces.open_of_process(
            reference, sandbox.name, pid=sandbox.pid, ids=(sandbox.id,), path=sandbox.path, addresses=sandbox.addresses
        )
    # Runtimes may keep a sandbox without a process of its own (CRI-O does), by a file alone.
    return _open_namespaces.open_of_path(reference, sandbox.name, sandbox.path, sandbox.addresses) if sandbox.path else None


def _gone(reference: Reference, sandbox: Sandbox | None) -> NetweatherError:
    what = f"the pod {sandbox.name if sandbox else reference.text} was replaced while Netweather examined it"
    return NetweatherError("target-changed", what, "its sandbox is not ready any more", "try again when it runs steadily")


def _on_host(sandbox: Sandbox) -> NetweatherError:
    return NetweatherError(
        "host-namespace",
        f"the pod {sandbox.name} has no network of its own",
        "it runs with hostNetwork: it shares the node's",
        "name one that has, or write host if you mean the node",
    )


def _elsewhere(sandbox: Sandbox) -> NetweatherError:
    return NetweatherError(
        "target-elsewhere",
        f"the pod {sandbox.name} cannot be reached from this process",
        "the runtime is in another pid namespace or machine, or does not report the sandbox's process",
        "run netweather on the pod's node, in the host's pid namespace (hostPID: true); or name the pod's process: pid:N",
    )


def _listing(api: CriApi, sandbox: Sandbox) -> Listing:
    """One line of the list; whatever goes wrong with this pod becomes its note."""
    reference = Reference("pod", sandbox.name, f"pod:{sandbox.name}")
    listing = Listing(reference.text, "pod", sandbox.name, "ready", id=sandbox.id)
    try:
        target = open_sandbox(api, sandbox.id, reference, as_peer=True)
    except NetweatherError as error:
        return replace(listing, note=error.why or error.what)
    with target:
        listing = replace(listing, addresses=target.addresses, pid=target.pid, identity=target.identity)
        if (target.dev, target.ino) in _open_namespaces.host_identities():
            return replace(listing, note="cannot be a target: it shares the node's network")
        seen = _addresses.look(target)
    return replace(listing, addresses=seen.addresses, interfaces=seen.interfaces, note=seen.note)


RUNTIME = CriSandboxes()
