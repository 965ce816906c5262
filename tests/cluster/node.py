"""A node from nothing, and away again: namespaces, one veth into this machine's own network, components, an image.

Everything runs below one process (supervisor) in network, mount and pid namespaces of its own: when it is killed, the kernel ends all
of it, containers too, and devices, mounts and firewall rules go with the namespaces. Left to remove are a folder and the control groups.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from tests.cluster import binaries, components, supervisor
from tests.cluster.binaries import NoCluster
from tests.cluster.components import NODE, Layout
from tests.support import containerd, daemons, owner, packages
from tests.support.watching import ROOT, if_killed

PREFIX = "nwt-cluster-"
NEEDED = ("containerd", "containernetworking-plugins", "etcd-server", "iptables")
STARTS_S, ENDS_S = 90.0, 30.0
LINKS = ip_address("203.0.113.0")
HIDDEN = ("/run", "/var/log", "/var/lib")
"""Folders that are empty in there, since components write to fixed places below them."""


def missing() -> str:
    """Why there can be no cluster here, or nothing. Installs Debian's packages that it needs."""
    if os.geteuid():
        return "a node needs root"
    client = () if shutil.which("kubectl") else ("kubernetes-client",)
    return packages.need(*NEEDED, *client) or daemons.missing("containerd", "nsenter", "etcd", "kubectl", "iptables")


_children: dict[Path, subprocess.Popen[bytes]] = {}
"""The nodes that this very process started, to be buried at their end."""


class Cluster:
    """Any cluster, by its kubeconfig. image: of a busybox that its pods can have."""

    image = "docker.io/library/busybox:stable"

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def kubectl(self, *words: str, check: bool = True, stdin: str | None = None, timeout: float = 60) -> str:
        """What kubectl says."""
        command = ["kubectl", "--kubeconfig", str(self.kubeconfig), *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
        assert not (check and done.returncode), f"kubectl {' '.join(words)}: exit {done.returncode}\n{done.stderr}"
        return done.stdout

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Objects, as `kubectl apply` does it. A new kubectl can't validate for an old server."""
        self.kubectl(
            "apply", "--validate=false", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        )

    def get(self, *words: str) -> Any:
        """Objects as plain data."""
        return json.loads(self.kubectl("get", *words, "-o", "json"))


class Node(Cluster):
    """A cluster of one node on this machine. home: its folder."""

    image = components.SANDBOX

    def __init__(self, home: Path) -> None:
        super().__init__(home / "admin.kubeconfig")
        self.home = home
        self.runtime = home / "containerd.sock"

    @property
    def pid(self) -> int:
        """The first process of its namespaces, as this machine numbers it."""
        return int((self.home / "pid").read_text())

    def inside(self, *command: str) -> list[str]:
        """A command that runs on the node, with its network, files and processes."""
        return ["nsenter", "-t", str(self.pid), "--mount", "--net", "--pid", "--", *command]

    def stop(self, component: str) -> None:
        """Ends one component; whatever it started lives on."""
        supervisor.ask(self.home, f"stop {component}")

    def start(self, component: str) -> None:
        """Starts a component that was stopped."""
        supervisor.ask(self.home, f"start {component}")

    def held(self) -> list[str]:
        """The targets that have conditions, as the agent's own files on the node tell."""
        listing = self.inside("find", "/run/netweather/targets", "-mindepth", "1", "-maxdepth", "1")
        return subprocess.run(listing, capture_output=True, text=True, check=False).stdout.split()  # there may be no folder

    def load(self, archive: Path) -> None:
        """Gives the node an image, of a file as `docker save` writes it."""
        command = ["ctr", "-a", str(self.runtime), "-n", "k8s.io", "images", "import", str(archive)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr


def named(kubeconfig: Path) -> Cluster:
    """The cluster of a kubeconfig: one that `up` made is a node that tests may do anything with."""
    home = kubeconfig.parent
    return Node(home) if home.name.startswith(PREFIX) and (home / "pid").exists() else Cluster(kubeconfig)


def up(name: str) -> Node:
    """Starts a node, and waits until it is ready for pods. Raises NoCluster; nothing is left then."""
    if reason := missing():
        raise NoCluster(reason)
    programs = binaries.programs()
    home = place(name)
    with suppress(FileExistsError):
        home.mkdir(mode=0o755)
    if (home / "pid").exists():
        return Node(home)
    node = Node(home)
    try:
        layout = Layout(home, programs, _unused_address())
        components.write(layout)
        _make_groups(home)
        _start_supervisor(node)
        _join(node, layout.address)
        _start_components(node, layout)
    except BaseException:
        down(home)
        raise
    return node


def place(name: str) -> Path:
    """The folder of the cluster of that name. Short: sockets are in it."""
    return Path(tempfile.gettempdir(), f"{PREFIX}{name}")


def down(home: Path) -> None:
    """Ends everything of a cluster; may be repeated, also after half a start."""
    with suppress(FileNotFoundError, ValueError):
        pid, tag = (home / "pid").read_text(), (home / "tag").read_text()
        if owner.alive(tag):
            os.kill(int(pid), signal.SIGKILL)
            _wait(lambda: not owner.alive(tag), ENDS_S, "the node's first process to end")
    if home in _children:
        _children.pop(home).wait()
    subprocess.run(["ip", "link", "delete", _device(home)], capture_output=True, check=False)
    _wait(lambda: _emptied(home), ENDS_S, "its control groups to be empty")
    shutil.rmtree(home, ignore_errors=True)


@contextmanager
def running() -> Iterator[Node]:
    """A cluster for as long as the context; also when this process is killed. Sweeps up what a dead session left."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*x*"):
        if not owner.alive(left.name):
            down(left)
    name = owner.tag()
    with if_killed(sys.executable, "-m", "tests.cluster", "down", "--name", name):
        try:
            yield up(name)
        finally:
            down(place(name))


# starting


def _unused_address() -> str:
    """The odd one of two addresses that no interface of this machine has."""
    used = subprocess.run(["ip", "-o", "-4", "addr"], capture_output=True, text=True, check=True).stdout
    for number in range(0, 254, 2):
        if f" {LINKS + number}/" not in used:
            return str(LINKS + number + 1)
    raise NoCluster(f"every address of {LINKS}/24 is in use")


def _device(home: Path) -> str:
    """The name of this machine's end of the veth."""
    return f"nwk{sum(ord(letter) * 31**index for index, letter in enumerate(home.name)) % 16**8:08x}"


def _make_groups(home: Path) -> None:
    """The control groups below which all pods are."""
    for hierarchy in Path("/sys/fs/cgroup").iterdir():
        if hierarchy.is_mount() and not hierarchy.is_symlink():
            (hierarchy / home.name).mkdir(exist_ok=True)


def _start_supervisor(node: Node) -> None:
    home = node.home
    hide = "".join(f"mount -t tmpfs nwt {folder} && " for folder in HIDDEN)
    prepare = (
        "ip link set lo up && sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
        "net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1 && mount --make-rshared / && "
    )
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c"]
    command += [f"{prepare}{hide}mkdir /run/lock && exec {sys.executable} -m tests.cluster.supervisor {home}"]
    with (home / "logs" / "supervisor").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    _children[home] = process
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    _wait(lambda: children.read_text().strip() or process.poll() is not None, 5, "the supervisor to start")
    pid = int(children.read_text())
    (home / "tag").write_text(owner.tag(pid))
    (home / "pid").write_text(str(pid))
    _wait(lambda: (home / "control").exists(), 10, "the supervisor to listen")


def _join(node: Node, address: str) -> None:
    """One veth between this machine's own network and the node's."""
    device, other = _device(node.home), str(ip_address(address) - 1)
    _do("ip", "link", "add", device, "type", "veth", "peer", "name", "node0", "netns", str(node.pid))
    _do("ip", "address", "add", f"{other}/31", "dev", device)
    _do("ip", "link", "set", device, "up")
    _do(*node.inside("ip", "address", "add", f"{address}/31", "dev", "node0"))
    _do(*node.inside("ip", "link", "set", "node0", "up"))
    # Without any route to them the node itself could not ask for a Service; where packets go then, kube-proxy's rules say.
    _do(*node.inside("ip", "route", "add", components.SERVICES, "dev", "node0"))


def _start_components(node: Node, layout: Layout) -> None:
    for name in ("etcd", "containerd", "apiserver"):
        node.start(name)
    image = node.home / "image.tar"
    containerd.image(image)
    _wait(lambda: _answers(node), STARTS_S, "the runtime to answer")
    node.load(image)
    _wait(lambda: _ready(layout), STARTS_S, "the API server to be ready", node)
    for name in ("controller-manager", "scheduler", "kubelet", "proxy"):
        node.start(name)
    _wait(lambda: "True" in _condition(node), STARTS_S, "the node to be ready", node)
    _wait(
        lambda: "default" in node.kubectl("get", "serviceaccount", "-o", "name", check=False), STARTS_S, "service accounts", node
    )


def _answers(node: Node) -> bool:
    command = ["ctr", "-a", str(node.runtime), "version"]
    return node.runtime.exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


def _ready(layout: Layout) -> bool:
    command = ["kubectl", "--kubeconfig", str(layout.kubeconfig), "get", "--raw", "/readyz"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout == "ok"


def _condition(node: Node) -> str:
    query = '{.status.conditions[?(@.type=="Ready")].status} {.spec.taints}'
    found = node.kubectl("get", "node", NODE, "-o", f"jsonpath={query}", check=False)
    return "" if "not-ready" in found else found


def _wait(done: Callable[[], object], seconds: float, what: str, node: Node | None = None) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise NoCluster(f"waited {seconds:.0f} s for {what}\n{_logs(node) if node else ''}")
        time.sleep(0.1)


def _logs(node: Node) -> str:
    """The end of each component's output."""
    return "\n".join(f"{log.name}: {log.read_text()[-600:]}" for log in sorted((node.home / "logs").iterdir()))


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoCluster(f"{' '.join(command)}: {done.stderr.strip()}")


# ending


def _emptied(home: Path) -> bool:
    """Whether no control group of it is left, which is so a moment after the last process of it died."""
    groups = [path for path in Path("/sys/fs/cgroup").glob(f"*/{home.name}/**/") if path.is_dir()]
    for group in sorted(groups, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):
            group.rmdir()
    return not any(group.exists() for group in groups)
