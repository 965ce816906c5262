"""A containerd of our own: a real one with its CRI plugin, in a private network and mount namespace, with a busybox image.

Pods are made through CRI itself, as a kubelet would; their network is a CNI bridge on documentation addresses, without a way out. How it
starts and ends: tests.support.daemons.
"""

from __future__ import annotations

import functools
import hashlib
import io
import itertools
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netweather.targets.runtimes import _grpc
from tests.support import daemons

PREFIX = "nwt-containerd-"
IMAGE = "nwt.example/busybox:1"
SUBNET, SUBNET6 = "198.51.100.0/24", "2001:db8:51::/64"
CNI = Path("/usr/lib/cni")
NODE = 2
_numbers = itertools.count()
_TABLE = _grpc.PAIR | {
    "Metadata": "name:1 uid:2 namespace:3 attempt:4:uint32",
    "NamespaceOption": "network:1:int32 pid:2:int32",
    "SandboxSecurity": "namespace_options:1:NamespaceOption",
    "LinuxSandbox": "cgroup_parent:1 security_context:2:SandboxSecurity",
    "SandboxConfig": "metadata:1:Metadata hostname:2 log_directory:3 labels:6:Pair* linux:8:LinuxSandbox",
    "RunPodSandboxRequest": "config:1:SandboxConfig",
    "RunPodSandboxResponse": "pod_sandbox_id:1",
    "PodSandboxId": "pod_sandbox_id:1",
    "ContainerMetadata": "name:1 attempt:2:uint32",
    "ImageSpec": "image:1",
    "ContainerConfig": "metadata:1:ContainerMetadata image:2:ImageSpec command:3:string*",
    "CreateContainerRequest": "pod_sandbox_id:1 config:2:ContainerConfig sandbox_config:3:SandboxConfig",
    "ContainerId": "container_id:1 timeout:2:int64",
    "ExecSyncRequest": "container_id:1 cmd:2:string* timeout:3:int64",
    "ExecSyncResponse": "stdout:1:bytes stderr:2:bytes exit_code:3:int32",
    "StatusResponse": "",
    "Empty": "",
}


@dataclass
class Pod:
    """A pod that runs. id: its sandbox's; containers: ids by name, in the order of starting."""

    runtime: Containerd
    id: str
    name: str
    config: Any
    containers: dict[str, str] = field(default_factory=dict)

    def start(self, name: str, *command: str, attempt: int = 0) -> str:
        """Starts a container in it; its id."""
        make = self.runtime.make
        config = make(
            "ContainerConfig",
            metadata=make("ContainerMetadata", name=name, attempt=attempt),
            image=make("ImageSpec", image=IMAGE),
            command=command or ("sleep", "infinity"),
        )
        asked = make("CreateContainerRequest", pod_sandbox_id=self.id, config=config, sandbox_config=self.config)
        self.containers[name] = str(self.runtime.call("CreateContainer", asked, "ContainerId").container_id)
        self.runtime.call("StartContainer", make("ContainerId", container_id=self.containers[name]), "Empty")
        return self.containers[name]

    def stop(self, name: str) -> None:
        """Kills a container and removes it; the pod lives on."""
        which = self.runtime.make("ContainerId", container_id=self.containers.pop(name))
        self.runtime.call("StopContainer", which, "Empty")
        self.runtime.call("RemoveContainer", which, "Empty")

    def run(self, *command: str, container: str = "", check: bool = True) -> str:
        """What a command in a container says, in its first unless told."""
        id = self.containers[container or next(iter(self.containers))]  # noqa: A001 - CRI's word
        asked = self.runtime.make("ExecSyncRequest", container_id=id, cmd=command, timeout=30)
        answer = self.runtime.call("ExecSync", asked, "ExecSyncResponse")
        assert not (check and answer.exit_code), f"{command}: exit {answer.exit_code}\n{answer.stderr.decode()}"
        return str(answer.stdout.decode())

    @property
    def address(self) -> str:
        """Its IPv4 address, as it sees it itself."""
        return self.run("ip", "-4", "-o", "addr", "show", "dev", "eth0").split("inet ")[1].split("/")[0]

    def remove(self) -> None:
        which = self.runtime.make("PodSandboxId", pod_sandbox_id=self.id)
        self.runtime.call("StopPodSandbox", which, "Empty")
        self.runtime.call("RemovePodSandbox", which, "Empty")


@dataclass(frozen=True)
class Containerd:
    """The daemon: its socket, and the CRI calls that make pods."""

    socket: Path

    @functools.cached_property
    def _service(self) -> _grpc.GrpcService:
        return _grpc.GrpcService(str(self.socket), "runtime.v1.RuntimeService", _grpc.compiled("runtime.v1", _TABLE), timeout=30)

    def make(self, message: str, **fields: Any) -> Any:
        return self._service.messages[message](**fields)

    def call(self, method: str, request: Any, answer: str) -> Any:
        return self._service.call(method, request, answer)

    def ctr(self, *words: str, check: bool = True) -> str:
        """What `ctr` says."""
        done = subprocess.run(["ctr", "-a", str(self.socket), *words], capture_output=True, text=True, timeout=60, check=False)
        assert not (check and done.returncode), f"ctr {' '.join(words)}: exit {done.returncode}\n{done.stderr}"
        return done.stdout

    def start_pod(
        self, name: str = "", namespace: str = "shop", *, labels: Mapping[str, str] | None = None, on_host: bool = False
    ) -> Pod:
        """A pod without containers; whoever asks for it removes it."""
        name = name or f"nwt{next(_numbers)}"
        options = self.make("NamespaceOption", network=NODE if on_host else 0, pid=1)
        config = self.make(
            "SandboxConfig",
            metadata=self.make("Metadata", name=name, uid=f"{name}-{next(_numbers)}", namespace=namespace),
            hostname="" if on_host else name,
            log_directory=str(self.socket.parent / "logs"),
            labels=[self.make("Pair", key=key, value=value) for key, value in (labels or {}).items()],
            linux=self.make(
                "LinuxSandbox",
                cgroup_parent=f"/{self.socket.parent.name}",
                security_context=self.make("SandboxSecurity", namespace_options=options),
            ),
        )
        answer = self.call("RunPodSandbox", self.make("RunPodSandboxRequest", config=config), "RunPodSandboxResponse")
        return Pod(self, str(answer.pod_sandbox_id), f"{namespace}/{name}", config)

    @contextmanager
    def pod(
        self, name: str = "", namespace: str = "shop", *, containers: tuple[str, ...] = ("app",), **more: Any
    ) -> Iterator[Pod]:
        """A pod with containers that sleep; removed at the end."""
        made = self.start_pod(name, namespace, **more)
        try:
            for each in containers:
                made.start(each)
            yield made
        finally:
            made.remove()


def missing() -> str:
    """Why no containerd can be started here, or nothing."""
    if not (CNI / "bridge").exists():
        return "no CNI plugins here (tools/apt-test.txt lists the packages)"
    return daemons.missing("containerd", "ctr", "runc", "containerd-shim-runc-v2")


@contextmanager
def daemon() -> Iterator[Containerd]:
    """Starts a containerd, gives it the image, and leaves nothing of it at the end. Needs root."""
    with daemons.running(PREFIX, _command, _answers) as home:
        made = Containerd(home / "containerd.sock")
        image(home / "image.tar")
        made.ctr("-n", "k8s.io", "images", "import", str(home / "image.tar"))
        yield made


def _command(home: Path) -> list[str]:
    _write_configuration(home)
    # CNI and the shims write to fixed places.
    return daemons.private(f"containerd -c {home}/config.toml", "/run/netns", "/run/containerd", "/var/lib/cni")


def _answers(home: Path) -> bool:
    made = Containerd(home / "containerd.sock")
    return made.socket.exists() and bool(made.ctr("version", check=False))


def _write_configuration(home: Path) -> None:
    (home / "cni").mkdir()
    (home / "logs").mkdir()
    ranges = [[{"subnet": SUBNET}], [{"subnet": SUBNET6}]]
    bridge = {
        "type": "bridge",
        "bridge": "nwt0",
        "ipam": {"type": "host-local", "ranges": ranges, "dataDir": f"{home}/addresses"},
    }
    (home / "cni" / "10-nwt.conflist").write_text(json.dumps({"cniVersion": "0.4.0", "name": "nwt", "plugins": [bridge]}))
    (home / "config.toml").write_text(
        configuration(home, root=home / "root", state=home / "state", socket=home / "containerd.sock", image=IMAGE)
    )


def configuration(home: Path, *, root: Path, state: Path, socket: Path, image: str) -> str:
    """A containerd of a test's own, as TOML; networks by what is in `home`/cni. image: of its sandboxes."""
    return f"""version = 2
root = "{root}"
state = "{state}"
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{home}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI}"
    conf_dir = "{home}/cni"
"""


def image(file: Path) -> None:
    """A busybox image as `docker save` would write it, whose command sleeps: for containers, and for the sandbox itself."""
    layer = file.with_suffix(".layer")
    daemons.busybox_tree(layer)
    packed(layer, IMAGE, {"Cmd": ["sleep", "infinity"], "Env": ["PATH=/bin"]}, file)


def packed(layer: Path, name: str, config: Mapping[str, Any], file: Path) -> None:
    """A root file system as an image of that name, in a file as `docker save` writes it."""
    with layer.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    whole = {
        "architecture": "amd64" if os.uname().machine == "x86_64" else "arm64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(file, "w") as tar:
        for told, data in (("manifest.json", json.dumps(manifest).encode()), ("config.json", json.dumps(whole).encode())):
            entry = tarfile.TarInfo(told)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        tar.add(layer, "layer.tar")
