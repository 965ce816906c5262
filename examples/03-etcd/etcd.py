"""Three real etcd nodes on bad networks: elections, availability, and whether what was acknowledged is still there.

    sudo .venv/bin/python examples/03-etcd/etcd.py [--plot availability.svg] [--perfect]
Exit 0: every finding was there; 1: one was not (as with --perfect, which leaves the network as it is).
"""

import argparse
import base64
import contextlib
import itertools
import json
import shutil
import sys
import textwrap
import time
from pathlib import Path

import httpx

from netweather.testing import Lab

NODES = ("a", "b", "c")
HEARTBEAT_MS, ELECTION_MS = 150, 1500
"""A follower that hears nothing for one to two election times stands for election."""
PORTS = {"client": 2379, "peers": 2380}


class Cluster:
    """Three nodes, and a client that writes to each of them all the time."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        members = ",".join(f"{node}=http://{lab[node].address}:{PORTS['peers']}" for node in NODES)
        for node in NODES:
            at = f"http://{lab[node].address}"
            lab[node].start(
                "etcd", "--name", node, "--data-dir", str(lab.folder / f"{node}.etcd"),
                "--listen-client-urls", f"{at}:2379", "--advertise-client-urls", f"{at}:2379",
                "--listen-peer-urls", f"{at}:2380", "--initial-advertise-peer-urls", f"{at}:2380",
                "--initial-cluster", members, "--initial-cluster-state", "new",
                f"--heartbeat-interval={HEARTBEAT_MS}", f"--election-timeout={ELECTION_MS}",
                ready=PORTS["client"], environment={"ETCD_UNSUPPORTED_ARCH": "arm64"},
            )  # fmt: skip
        self.agreed(30)
        writer = Path(__file__).with_name("writer.py")
        self.writer = lab["client"].start(
            sys.executable, str(writer), *(f"{n}={lab[n].address}" for n in NODES), ready='log:"ok": true'
        )

    def ask(self, node: str, path: str, **body: object) -> dict:
        """From the node's own host: the networks under test don't come between."""
        host = self.lab[node]
        return host.call(lambda: httpx.post(f"http://{host.address}:2379/v3/{path}", json=body, timeout=3).json())

    def status(self, node: str) -> tuple[str, int]:
        """(the leader as this node sees it or "", the term)"""
        said = self.ask(node, "maintenance/status")
        return said.get("leader", "").strip("0"), int(said.get("raftTerm", 0))

    def elections(self) -> int:
        """How often any node has stood for election, won or not: it says so in its log."""
        return sum(
            child.text().count(" became candidate at term ") for node in NODES for child in self.lab[node].processes.values()
        )

    def leader(self) -> str:
        for node in NODES:
            said = self.ask(node, "maintenance/status")
            if said.get("leader") == said["header"]["member_id"]:
                return node
        return ""

    def agreed(self, patience_s: float) -> float:
        """Waits until all nodes see the same leader in the same term. Returns how long that took."""
        begin = time.monotonic()
        while time.monotonic() - begin < patience_s:
            with contextlib.suppress(httpx.HTTPError, KeyError, ValueError):
                seen = {self.status(node) for node in NODES}
                if len(seen) == 1 and seen.pop()[0]:
                    return time.monotonic() - begin
            time.sleep(0.1)
        raise SystemExit(f"the nodes did not agree within {patience_s:.0f} s")

    def writes(self) -> list[dict]:
        whole = self.writer.text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def keys(self, node: str) -> set[str]:
        """What this node itself holds, without asking the others."""
        everything = base64.b64encode(b"\0").decode()
        said = self.ask(node, "kv/range", key=everything, range_end=everything, serializable=True, keys_only=True)
        return {base64.b64decode(one["key"]).decode() for one in said.get("kvs", [])}


class Story:
    """The phases, one after the other."""

    def __init__(self, cluster: Cluster, perfect: bool) -> None:
        self.cluster, self.perfect = cluster, perfect
        self.phases: list[dict] = []
        self.missing: list[str] = []

    def phase(self, name: str, seconds: float, make=None, settle: float = 20) -> dict:
        """Keeps a network for a while, then lets the nodes agree again. Returns what happened meanwhile."""
        cluster = self.cluster
        before, leader = cluster.elections(), cluster.leader()
        with contextlib.nullcontext() if make is None or self.perfect else make(leader):
            begin = time.time()
            time.sleep(seconds)
            end = time.time()
            during = cluster.elections() - before
        healed = cluster.agreed(settle)
        writes = [one for one in cluster.writes() if begin <= one["at"] < end]
        found = {
            "name": name, "begin": begin, "end": end, "elections": during, "later": cluster.elections() - before - during,
            "leader": leader, "new": cluster.leader(), "healed_s": healed, "writes": writes,
            "acknowledged": sum(one["ok"] for one in writes), "outage_s": outage(writes, begin, end),
        }  # fmt: skip
        self.phases.append(found)
        print(
            f"{name:<44} {during:>3} elections, {found['later']} after it; {found['acknowledged']:>4} of {len(writes):>4} writes "
            f"acknowledged, longest time without {found['outage_s']:.1f} s; agreed again after {healed:.1f} s"
        )
        return found

    def expect(self, holds: bool, what: str) -> None:
        print(f"    {'found' if holds else 'NOT FOUND'}: {what}")
        if not holds:
            self.missing.append(what)

    def tell(self) -> None:
        lab = self.cluster.lab
        others = {node: [one for one in NODES if one != node] for node in NODES}

        def delayed(time: str):
            return lambda leader: lab.degrade(NODES, to=NODES, direction="egress", delay=time)

        found = self.phase("the network as it is", 4)
        self.expect(found["elections"] == 0 and found["outage_s"] < 1, "one leader, no elections, writes are acknowledged")
        found = self.phase("each way 150 ms, below the election time", 8, delayed("150ms"))
        slow = sorted(one["s"] for one in found["writes"] if one["ok"])
        self.expect(found["elections"] == 0, "nobody stands for election")
        self.expect(
            bool(slow) and slow[len(slow) // 2] >= 0.3, f"but a write takes {slow[len(slow) // 2] * 1000:.0f} ms in the middle"
        )
        found = self.phase("each way 1.8 s, beyond the election time", 12, delayed("1800ms"), 30)
        self.expect(found["elections"] >= 2, "elections, one after the other: votes come back too late")
        self.expect(found["outage_s"] >= 5, f"and no write for {found['outage_s']:.1f} s, though not one packet is lost")
        found = self.phase("the leader cut off from the others", 8, lambda leader: lab.partition(leader, others[leader]))
        old = [one for one in found["writes"] if one["node"] == found["leader"]]
        late = [one for one in old if one["at"] > found["begin"] + 0.5]
        self.expect(found["new"] != found["leader"], f"{found['new']} leads in place of {found['leader']}")
        self.expect(
            bool(late) and not any(one["ok"] for one in late),
            "the old leader acknowledges nothing, although it hears its clients",
        )
        self.expect(1 <= found["outage_s"] < 6, f"the others write again after {found['outage_s']:.1f} s")
        found = self.phase("a follower that hears nobody (one way only)", 9, lambda leader: deaf(lab, others[leader]), 30)
        self.expect(found["outage_s"] < 1, "the others go on, and see no election while it lasts")
        self.expect(found["elections"] >= 2, f"but the deaf one called {found['elections']} elections that nobody answered")
        self.expect(found["later"] >= 1, "and when it hears again, its higher term makes a healthy leader step down")
        self.check()

    def check(self) -> None:
        """After the last split has healed."""
        self.cluster.writer.kill()
        self.cluster.agreed(20)
        acknowledged = {one["key"] for one in self.cluster.writes() if one["ok"]}
        lost = {node: len(acknowledged - self.cluster.keys(node)) for node in NODES}
        self.expect(
            len(acknowledged) > 100 and not any(lost.values()), f"all {len(acknowledged)} acknowledged writes are on every node"
        )


def deaf(lab: Lab, followers: list[str]):
    """The first follower receives nothing from its peers; what it sends arrives."""
    return lab.degrade(followers[0], to=[node for node in NODES if node != followers[0]], direction="ingress", block="drop")


def outage(writes: list[dict], begin: float, end: float) -> float:
    """The longest time without a single acknowledged write, on any node."""
    times = [begin, *sorted(one["at"] + one["s"] for one in writes if one["ok"]), end]
    return max(later - earlier for earlier, later in itertools.pairwise(times))


def plot(story: Story, path: Path) -> None:
    """Each write as a mark, a row for each node; the phases behind."""
    from matplotlib.figure import Figure

    writes = story.cluster.writes()
    begin = writes[0]["at"]
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    axes = figure.subplots()
    for number, phase in enumerate(story.phases):
        axes.axvspan(phase["begin"] - begin, phase["end"] - begin, color="#dde6f0" if number else "#eef3ee")
        told = "\n".join([*textwrap.wrap(phase["name"], 20), f"{phase['elections']} elections"])
        axes.text((phase["begin"] + phase["end"]) / 2 - begin, 2.75, told, ha="center", va="bottom", fontsize=7)
    for ok, colour, label in ((True, "#2a7f3f", "acknowledged"), (False, "#c33", "not acknowledged")):
        some = [one for one in writes if one["ok"] == ok]
        x, y = [one["at"] - begin for one in some], [NODES.index(one["node"]) for one in some]
        axes.scatter(x, y, s=30, marker="|", color=colour, label=label)
    axes.set(yticks=range(3), yticklabels=[f"node {node}" for node in NODES], xlabel="seconds", ylim=(-0.6, 2.6))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", ncols=2, fontsize=7, frameon=False)
    figure.savefig(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--plot", type=Path, help="draw availability over time: .svg or .png")
    parser.add_argument("--perfect", action="store_true", help="leave the network as it is: the findings must be missing")
    options = parser.parse_args()
    if not shutil.which("etcd"):
        sys.exit("etcd is missing: apt-get install etcd-server")
    with Lab("client", *NODES) as lab:
        story = Story(Cluster(lab), options.perfect)
        story.tell()
        if options.plot:
            plot(story, options.plot)
    if story.missing:
        print(f"{len(story.missing)} findings are missing")
    return 1 if story.missing else 0


if __name__ == "__main__":
    sys.exit(main())
