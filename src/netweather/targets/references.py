"""The grammar of target references, and the registry of schemes. Pure: nothing is looked up.

    netns:NAME                     netns:db  netns:/run/docker/netns/7cd5f0e87372   a name in /run/netns, or an absolute path
    pid:N                          pid:4711                                         the namespace that process lives in
    docker:NAME|ID                 docker:shop-api                                  one container, by its exact name or whole id
    docker:label=KEY=VALUE         docker:label=tier=web                            every running container with that label
    compose:[PROJECT/]SERVICE      compose:web  compose:shop/web                    every running container of the service
    podman:NAME|ID|label=KEY=VALUE podman:shop-api                                  the same of Podman; a pod's name names its network
    pod:NAMESPACE/NAME             pod:shop/api-0                                   a pod on this node, by its CRI runtime
    pod:NAMESPACE/label=KEY=VALUE  pod:shop/label=app=api                           every ready pod on this node with that label
    cri:ID  cri:label=KEY=VALUE    cri:label=app=api                                the pod of a sandbox or container
    containerd:NAMESPACE/ID        containerd:default/shop-api                      one container of a containerd's namespace
    host                           host                                             the host's own network, only when spelt out
One that fails: parse("shop-api") is a UsageError (scheme-missing) whose remedy is docker:shop-api.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from netweather.errors import UsageError
from netweather.targets._failures import nearest


@dataclass(frozen=True)
class Scheme:
    """One kind of reference. module: the module of targets/ whose RUNTIME opens it; pattern: what may stand behind the colon.

    ids: a command line may write the beginning of an id; the runtime's `complete` writes it in full.
    starts: the runtime reports what starts later, and conditions apply to it.
    files: what begins with / is a file of this machine, which an agent does not open for its clients.
    """

    name: str
    form: str
    example: str
    pattern: re.Pattern[str]
    module: str
    ids: bool = False
    starts: bool = False
    files: bool = False


@dataclass(frozen=True)
class Reference:
    """A reference that was understood. text: the user's words; rest: what stands behind the colon, "" for host."""

    scheme: str
    rest: str
    text: str


_DOCKER: Final = re.compile(r"label=[^=\s]+=.*|/?[A-Za-z0-9][A-Za-z0-9_.-]*")
_COMPOSE: Final = re.compile(r"(?:[a-z0-9][a-z0-9_-]*/)?[A-Za-z0-9][A-Za-z0-9_.-]*")
_ADDRESS: Final = re.compile(r"[0-9]+(\.[0-9]+){3}(/[0-9]+)?")
_LABEL: Final = r"label=[^=\s]+=.*"
_POD: Final = re.compile(rf"[a-z0-9][a-z0-9-]*/(?:[a-z0-9][a-z0-9.-]*|{_LABEL})")
_CRI: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]*|{_LABEL}")
_CONTAINERD: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]*/(?:[A-Za-z0-9][A-Za-z0-9_.-]*|{_LABEL})")
_NETNS: Final = re.compile(r"/[^\0]+|(?!\.{1,2}$)[^/\0\s]{1,255}")

SCHEMES: Final = (
    Scheme("netns", "netns:NAME or netns:/PATH", "netns:db", _NETNS, "netns", files=True),
    Scheme("pid", "pid:N", "pid:4711", re.compile(r"0*[1-9][0-9]{0,9}"), "process"),
    Scheme("docker", "docker:NAME, docker:ID or docker:label=KEY=VALUE", "docker:shop-api", _DOCKER, "docker", ids=True, starts=True),
    Scheme("compose", "compose:SERVICE or compose:PROJECT/SERVICE", "compose:shop/web", _COMPOSE, "compose", starts=True),
    Scheme("host", "host", "host", re.compile(""), "host"),
    Scheme(
        "podman", "podman:NAME, podman:ID, podman:POD or podman:label=KEY=VALUE", "podman:shop-api", _DOCKER, "podman",
        ids=True, starts=True,
    ),
    Scheme("pod", "pod:NAMESPACE/NAME or pod:NAMESPACE/label=KEY=VALUE", "pod:shop/api-0", _POD, "cri", starts=True),
    Scheme("cri", "cri:ID or cri:label=KEY=VALUE", "cri:1eba52", _CRI, "cri", ids=True, starts=True),
    Scheme(
        "containerd", "containerd:NAMESPACE/ID or containerd:NAMESPACE/label=KEY=VALUE", "containerd:default/shop-api",
        _CONTAINERD, "containerd", ids=True,
    ),
)  # fmt: skip
"""Every scheme: the one place that names them (help, errors and completion are made of it)."""

_LIST: Final = "list possible targets: netweather targets"
_BY_NAME: Final = {scheme.name: scheme for scheme in SCHEMES}
_ALIASES: Final = {
    "container": "docker", "service": "compose", "docker-compose": "compose", "process": "pid", "proc": "pid",
    "namespace": "netns", "ns": "netns", "kubernetes": "pod", "k8s": "pod", "localhost": "host", "sandbox": "cri",
}  # fmt: skip


def scheme(name: str) -> Scheme:
    """The scheme of that name. Raises KeyError when there is none."""
    return _BY_NAME[name]


def parse(text: str) -> Reference:
    """Understand a target reference.

    Raises UsageError: scheme-missing (a bare name), unknown-scheme (names the nearest), bad-target (not of the scheme's form).
    """
    if text == "host":
        return Reference("host", "", text)
    head, colon, rest = text.partition(":")
    if not colon:
        raise _bare(text)
    known = _BY_NAME.get(head)
    if known is None:
        raise _unknown(head, rest)
    if not rest or not known.pattern.fullmatch(rest):
        raise UsageError("bad-target", f"{text!r} is not a target", f"the form is {known.form}", f"for example {known.example}")
    return Reference(head, rest, text)


def names_a_file(text: str) -> bool:
    """Whether the words are a reference with a path, such as netns:/run/netns/db."""
    head, _, rest = text.strip().partition(":")
    return head in _BY_NAME and _BY_NAME[head].files and rest.startswith("/")


def lacks_project(text: str) -> bool:
    """Whether the words are compose:SERVICE, which means another project in each folder."""
    return text.startswith("compose:") and "/" not in text


def available() -> list[Scheme]:
    """The schemes, in the order of the registry."""
    return list(SCHEMES)


def bare_name(text: str) -> str | None:
    """The reference that who wrote a bare name most likely meant: pid:7 of "7", netns:/x of "/x", compose:a/b of "a/b", else
    docker:…; None when nothing fits, and for addresses."""
    if text in _BY_NAME or text in _ALIASES:
        return _BY_NAME[_ALIASES.get(text, text)].example
    if _ADDRESS.fullmatch(text):
        return None
    for name, looks_so in (("pid", text.isdigit()), ("netns", text.startswith("/")), ("compose", "/" in text), ("docker", True)):
        if looks_so and _BY_NAME[name].pattern.fullmatch(text):
            return f"{name}:{text}"
    return None


def _bare(text: str) -> UsageError:
    forms = "; ".join(known.form for known in available())
    if not text.strip():
        return UsageError("bad-target", "the target is empty", "", f"name one: {forms}")
    meant = bare_name(text)
    remedy = f"write {meant}" if meant else _LIST
    return UsageError("scheme-missing", f"{text!r} has no scheme", f"a target is one of {forms}", remedy)


def _unknown(head: str, rest: str) -> UsageError:
    meant = _ALIASES.get(head.lower()) or next(iter(nearest(head, _BY_NAME, 1)), None)
    forms = "; ".join(known.form for known in available())
    remedy = f"write {meant if meant == 'host' else f'{meant}:{rest}'}" if meant else _LIST
    return UsageError("unknown-scheme", f"{head + ':'!r} is not a scheme of targets", f"a target is one of {forms}", remedy)
