"""The commands of a node's components and the files that they read. Plain data: nothing is started here."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
import yaml

from tests.support import containerd

NODE = "node-1"
PODS, PODS6, SERVICES = "198.51.100.0/24", "2001:db8:51::/64", "192.0.2.0/24"
API_IN_CLUSTER = "192.0.2.1"
PORT = 6443
SANDBOX = "nwt.example/busybox:1"
IDENTITIES = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", "system:masters"),
    "scheduler": ("system:kube-scheduler", ""),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
    "proxy": ("system:kube-proxy", ""),
}
"""Who has a token: its user, and its group."""


@dataclass(frozen=True)
class Layout:
    """Where the parts of one cluster are. address: the node's, which this machine's own network reaches, too."""

    home: Path
    programs: Path
    address: str
    tokens: dict[str, str] = field(default_factory=lambda: {name: secrets.token_hex(16) for name in IDENTITIES})

    @property
    def url(self) -> str:
        return f"https://{self.address}:{PORT}"

    @property
    def kubeconfig(self) -> Path:
        return access(self, "admin")

    @property
    def runtime(self) -> Path:
        return self.home / "containerd.sock"


def access(layout: Layout, name: str) -> Path:
    """The kubeconfig of one of IDENTITIES."""
    return layout.home / f"{name}.kubeconfig"


def write(layout: Layout) -> None:
    """Every file that a component reads."""
    home = layout.home
    for folder in ("components", "logs", "cni", "kubelet"):
        (home / folder).mkdir()
    _certificates(layout)
    lines = [f'{layout.tokens[name]},{user},{name},"{group}"' for name, (user, group) in IDENTITIES.items()]
    (home / "tokens.csv").write_text("\n".join(lines) + "\n")
    for name in IDENTITIES:
        access(layout, name).write_text(yaml.safe_dump(_kubeconfig(layout, name)))
    runtime = containerd.configuration(
        home, root=home / "containerd", state=Path("/run/containerd"), socket=layout.runtime, image=SANDBOX
    )
    (home / "containerd.toml").write_text(runtime)
    (home / "cni" / "10-nwt.conflist").write_text(json.dumps(_network(layout)))
    (home / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(layout)))
    (home / "proxy.yaml").write_text(yaml.safe_dump(_proxy(layout)))
    for name, command in commands(layout).items():
        (home / "components" / f"{name}.json").write_text(json.dumps(command))


def _certificates(layout: Layout) -> None:
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    names = (layout.address, API_IN_CLUSTER, "127.0.0.1", "localhost", "kubernetes", "kubernetes.default.svc")
    server = authority.issue_cert(*names, key_type=trustme.KeyType.RSA)
    authority.cert_pem.write_to_path(layout.home / "ca.pem")
    server.cert_chain_pems[0].write_to_path(layout.home / "server.pem")
    server.private_key_pem.write_to_path(layout.home / "server.key")


def _kubeconfig(layout: Layout, name: str) -> dict[str, Any]:
    cluster = {"server": layout.url, "certificate-authority": str(layout.home / "ca.pem")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "nwt", "cluster": cluster}],
        "users": [{"name": name, "user": {"token": layout.tokens[name]}}],
        "contexts": [{"name": "nwt", "context": {"cluster": "nwt", "user": name}}],
        "current-context": "nwt",
    }


def commands(layout: Layout) -> dict[str, list[str]]:
    """By name, in the order of starting."""
    home, made = layout.home, layout.programs
    return {
        "etcd": ["etcd", "--data-dir=/run/etcd", "--log-level=warn", "--auto-compaction-retention=1"],
        "apiserver": [str(made / "kube-apiserver"), *_apiserver(layout)],
        "controller-manager": [
            str(made / "kube-controller-manager"),
            f"--kubeconfig={access(layout, 'controller-manager')}",
            f"--service-account-private-key-file={home}/server.key",
            f"--root-ca-file={home}/ca.pem",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
        ],
        "scheduler": [
            str(made / "kube-scheduler"),
            f"--kubeconfig={access(layout, 'scheduler')}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
        ],
        "containerd": ["containerd", "-c", f"{home}/containerd.toml"],
        "kubelet": [
            str(made / "kubelet"),
            f"--config={home}/kubelet.yaml",
            f"--kubeconfig={access(layout, 'kubelet')}",
            f"--root-dir={home}/kubelet",
            f"--hostname-override={NODE}",
            f"--node-ip={layout.address}",
            "--container-runtime=remote",
            f"--container-runtime-endpoint=unix://{layout.runtime}",
        ],
        "proxy": [str(made / "kube-proxy"), f"--config={home}/proxy.yaml"],
    }


def _apiserver(layout: Layout) -> list[str]:
    home = layout.home
    return [
        "--etcd-servers=http://127.0.0.1:2379",
        f"--secure-port={PORT}",
        "--bind-address=0.0.0.0",
        f"--advertise-address={layout.address}",
        f"--service-cluster-ip-range={SERVICES}",
        f"--tls-cert-file={home}/server.pem",
        f"--tls-private-key-file={home}/server.key",
        f"--token-auth-file={home}/tokens.csv",
        "--authorization-mode=Node,RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={home}/server.key",
        f"--service-account-signing-key-file={home}/server.key",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",
        "--shutdown-delay-duration=0s",
    ]


def _network(layout: Layout) -> dict[str, Any]:
    ranges = [[{"subnet": PODS}], [{"subnet": PODS6}]]
    addresses = {"type": "host-local", "ranges": ranges, "dataDir": "/run/addresses", "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "pods0", "isGateway": True, "hairpinMode": True, "ipam": addresses}
    return {
        "cniVersion": "0.4.0",
        "name": "nwt",
        "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }


def _kubelet(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.address,
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.home.name}",
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "1Mi"},
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "nodeStatusUpdateFrequency": "1s",
        "resolvConf": "/dev/null",
    }


def _proxy(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(access(layout, "proxy"))},
        "hostnameOverride": NODE,
        "bindAddress": layout.address,
        "clusterCIDR": PODS,
        "conntrack": {"maxPerCore": 0, "min": 0},  # else it writes to limits that are the whole machine's
        "iptables": {"minSyncPeriod": "0s", "syncPeriod": "30s"},
    }
