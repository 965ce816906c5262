"""A shop of several services in a Kubernetes cluster: its response time while network conditions change live.

    KUBECONFIG=… .venv/bin/python examples/05-kubernetes/cluster.py [--plot response.svg] [--perfect]
Exit 0: every finding was there; 1: one was not (as with --perfect, which leaves the network as it is).
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLUGIN = Path(sys.executable).with_name("kubectl-netweather")
SPACE = "nw-example-shop"
PARTS = {"stock": 1, "catalog": 1, "shop": 2, "customer": 1}
"""In the order in which each finds the Service behind it; how many pods."""


def kubectl(*words: str, stdin: str | None = None) -> str:
    done = subprocess.run(["kubectl", *words], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Shop:
    """The application in a namespace of its own."""

    def __init__(self, image: str) -> None:
        self.image = image or kubectl("-n", "netweather", "get", "daemonset", "agent", "-o", "jsonpath={..image}").split()[0]

    def __enter__(self) -> "Shop":
        kubectl("delete", "namespace", SPACE, "--ignore-not-found", "--wait=true")
        kubectl("create", "namespace", SPACE)
        kubectl("-n", SPACE, "create", "configmap", "program", f"--from-file={HERE / 'service.py'}")
        services = [self._service(name) for name in PARTS if name != "customer"]
        deployments = [self._deployment(name) for name in PARTS]
        for objects in (services, deployments):  # a pod is told of the Services that are there before it
            listed = {"apiVersion": "v1", "kind": "List", "items": objects}
            kubectl("apply", "--validate=false", "-f", "-", stdin=json.dumps(listed))
        for name in PARTS:
            kubectl("-n", SPACE, "rollout", "status", f"deployment/{name}", "--timeout=120s")
        return self

    def __exit__(self, *_: object) -> None:
        kubectl("delete", "namespace", SPACE, "--wait=false")

    def _service(self, name: str) -> dict:
        spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": SPACE}, "spec": spec}

    def _deployment(self, name: str) -> dict:
        container = {
            "name": name,
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["python3", "/program/service.py", name],
            "volumeMounts": [{"name": "program", "mountPath": "/program"}],
        }
        if name != "customer":
            container["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
        pod = {
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [{"name": "program", "configMap": {"name": "program"}}],
        }
        template = {"metadata": {"labels": {"app": name}}, "spec": pod}
        spec = {"replicas": PARTS[name], "selector": {"matchLabels": {"app": name}}, "template": template}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": SPACE}, "spec": spec}

    def pages(self) -> list[dict]:
        """Every page that the customer has opened."""
        return [json.loads(line) for line in kubectl("-n", SPACE, "logs", "deployment/customer").splitlines()]


class Story:
    """The phases, one after the other."""

    def __init__(self, shop: Shop, perfect: bool) -> None:
        self.shop, self.perfect = shop, perfect
        self.phases: list[dict] = []
        self.missing: list[str] = []

    def run(self, *words: str) -> None:
        """kubectl netweather …: what is set is in force when it returns."""
        print(f"$ kubectl netweather {' '.join(words)}")
        if self.perfect:
            return
        done = subprocess.run([PLUGIN, *words, "--namespace", SPACE], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"kubectl netweather {words[0]}: {done.stderr.strip()}")

    def phase(self, name: str, seconds: float, settling: float = 0.0) -> list[dict]:
        """Lets the customer open pages for a while. Returns those that were opened, from `settling` on, and what came of them."""
        begin = time.time()
        time.sleep(seconds)
        end = time.time()
        time.sleep(0.3)  # the last page is on its way
        self.phases.append({"name": name, "begin": begin, "end": end})
        pages = [page for page in self.shop.pages() if begin + settling <= page["at"] < end]
        print(f"{name:<44} {len(pages):>3} pages, {middle(pages) * 1000:5.0f} ms in the middle")
        return pages

    def expect(self, holds: bool, what: str) -> None:
        print(f"    {'found' if holds else 'NOT FOUND'}: {what}")
        if not holds:
            self.missing.append(what)

    def tell(self) -> None:
        calm = middle(self.phase("the network as it is", 3))
        slow = ("set", "deployment/catalog", "--to", "service/stock", "--direction", "egress", "--name", "far-stock")
        self.run(*slow, "--delay", "50ms")
        far = middle(self.phase("the stock 50 ms away from the catalog", 3, 0.5))
        told = f"a page takes {far * 1000:.0f} ms instead of {calm * 1000:.0f}: three times 50 ms, since the catalog asks three times"
        self.expect(far >= 0.15, told)
        self.run(*slow, "--delay", "150ms")
        further = middle(self.phase("changed live: 150 ms away", 4, 1.0))
        self.expect(further >= 0.45, f"now {further * 1000:.0f} ms: every 100 ms of distance cost three times that")
        self.run(*slow, "--block", "drop")
        cut = self.phase("changed live: the stock cut off", 5, 2.0)
        self.expect(
            bool(cut) and not any(page["whole"] for page in cut) and middle(cut) >= 0.6,
            f"pages without numbers, each after {middle(cut) * 1000:.0f} ms: the catalog's patience, spent on every page",
        )
        self.run("clear", "--name", "far-stock")
        self.run(
            "set",
            "deployment/shop",
            "--pods",
            "1",
            "--to",
            "service/catalog",
            "--rtt",
            "300ms",
            "--name",
            "bad-pod",
            "--for",
            "8s",
        )
        uneven = self.phase("one of the shop's two pods far away", 4, 1.0)
        by_pod = sorted(middle([page for page in uneven if page["pod"] == pod]) for pod in {page["pod"] for page in uneven})
        self.expect(
            len(by_pod) == 2 and by_pod[0] < 0.15 and by_pod[1] >= 0.3,
            f"half of the pages take {by_pod[0] * 1000:.0f} ms, the others {by_pod[-1] * 1000:.0f} ms: an average tells neither",
        )
        self.phase("its lease ends", 5)
        again = middle(self.phase("nobody has cleared it", 3))
        self.expect(again < 0.15, f"{again * 1000:.0f} ms in the middle: the condition ended by itself")


def middle(pages: list[dict]) -> float:
    """The median of the response times; 0 of no pages."""
    return statistics.median(page["s"] for page in pages) if pages else 0.0


def plot(story: Story, path: Path) -> None:
    """Each page as a mark, its colour the pod that answered; the phases behind."""
    from matplotlib.figure import Figure

    begin, end = story.phases[0]["begin"], story.phases[-1]["end"]
    pages = [page for page in story.shop.pages() if begin <= page["at"] <= end]
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    axes = figure.subplots()
    for number, phase in enumerate(story.phases):
        left, right = phase["begin"] - begin, phase["end"] - begin
        axes.axvspan(left, right, color="#dde6f0" if number % 2 else "#eef3ee")
        axes.text((left + right) / 2, 1.01, phase["name"].replace(": ", ":\n").replace(" away", "\naway"),
                  transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=7)  # fmt: skip
    pods = sorted({page["pod"] for page in pages if page["pod"]})
    for (pod, colour), whole in itertools.product(zip(pods, ("#1f5fa8", "#c2571a"), strict=False), (True, False)):
        some = [page for page in pages if page["pod"] == pod and page["whole"] == whole]
        x, y = [page["at"] - begin for page in some], [page["s"] * 1000 for page in some]
        label = f"by the shop's pod {pods.index(pod) + 1}{'' if whole else ', without numbers'}"
        axes.scatter(x, y, s=14, marker="o" if whole else "x", color=colour, label=label, linewidths=0.8)
    axes.set(xlabel="seconds", ylabel="response time in ms", ylim=(0, None), xlim=(0, end - begin))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper right", fontsize=7, frameon=False)
    figure.savefig(path, dpi=130)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--plot", type=Path, help="draw response times: .svg or .png")
    parser.add_argument("--image", default="", help="one with python3; Netweather's own unless given")
    parser.add_argument("--perfect", action="store_true", help="leave the network as it is: the findings must be missing")
    options = parser.parse_args()
    with Shop(options.image) as shop:
        story = Story(shop, options.perfect)
        story.tell()
        if options.plot:
            plot(story, options.plot)
    if story.missing:
        print(f"{len(story.missing)} findings are missing")
    return 1 if story.missing else 0


if __name__ == "__main__":
    sys.exit(main())
