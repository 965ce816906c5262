"""Three real ZooKeeper nodes on bad networks: sessions that expire, and a follower that is disconnected.

    sudo .venv/bin/python examples/04-zookeeper/zookeeper.py [--plot locks.svg] [--perfect]
Exit 0: every finding was there; 1: one was not (as with --perfect, which leaves the network as it is).
"""

import argparse
import contextlib
import itertools
import json
import shutil
import socket
import sys
import textwrap
import time
from pathlib import Path

from netweather.testing import Lab

NODES = ("zk1", "zk2", "zk3")
HOLDER, RIVAL = "one", "two"
JAR = "/usr/share/java/zookeeper.jar"
SESSION_S = 4.0


def start(lab: Lab) -> None:
    """The ensemble, ready to serve."""
    servers = [f"server.{number}={lab[node].address}:2888:3888" for number, node in enumerate(NODES, 1)]
    for number, node in enumerate(NODES, 1):
        data = lab.folder / node
        data.mkdir()
        (data / "myid").write_text(f"{number}\n")
        config = [
            "tickTime=1000", "initLimit=10", "syncLimit=3", f"dataDir={data}", "clientPort=2181", f"clientPortAddress={lab[node].address}",
            "4lw.commands.whitelist=srvr", "admin.enableServer=false", *servers,
        ]  # fmt: skip
        (lab.folder / f"{node}.cfg").write_text("\n".join([*config, ""]))
        lab[node].start(
            "java", "-Xmx96m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", JAR,
            "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(lab.folder / f"{node}.cfg"), name="zookeeper",
        )  # fmt: skip
    until(lambda: sorted(mode(lab, node) for node in NODES) == ["follower", "follower", "leader"], 60, "the nodes serve")


def ask(lab: Lab, node: str) -> dict[str, str]:
    """What the node says of itself (`srvr`), from its own host."""
    host = lab[node]

    def talk() -> str:
        with socket.create_connection((host.address, 2181), timeout=2) as connection:
            connection.sendall(b"srvr")
            return b"".join(iter(lambda: connection.recv(4096), b"")).decode()

    with contextlib.suppress(OSError):
        return dict(line.split(": ", 1) for line in host.call(talk).splitlines() if ": " in line)
    return {}


def mode(lab: Lab, node: str) -> str:
    """leader, follower, or nothing while it does not serve."""
    return ask(lab, node).get("Mode", "")


def until(holds, patience_s: float, what: str) -> float:
    begin = time.monotonic()
    while not holds():
        if time.monotonic() - begin > patience_s:
            raise SystemExit(f"not within {patience_s:.0f} s: {what}")
        time.sleep(0.1)
    return time.monotonic() - begin


class Clients:
    """Two who compete for the naive lock, two for the careful one, on two hosts; and one that counts."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        for host in (HOLDER, RIVAL):
            for kind in ("naive", "careful"):
                self.start(host, kind, f"{kind}-{host}", NODES)
                if host == HOLDER:  # it has the lock before its rival comes
                    until(lambda kind=kind: self.works(f"{kind}-{HOLDER}"), 30, f"{kind} has its lock")

    def start(self, host: str, role: str, name: str, nodes) -> None:
        hosts = ",".join(f"{self.lab[node].address}:2181" for node in nodes)
        worker = str(Path(__file__).with_name("worker.py"))
        self.lab[host].start(sys.executable, worker, role, name, hosts, name=name, ready='log:"CONNECTED"')

    def told(self, name: str) -> list[dict]:
        """Everything a client printed so far."""
        for host in self.lab.hosts.values():
            if name in host.processes:
                return [json.loads(line) for line in host.processes[name].text().rpartition("\n")[0].splitlines()]
        return []

    def works(self, name: str, begin: float = 0.0, end: float = 1e12) -> list[float]:
        """When a client worked as its lock's owner."""
        return [one["at"] for one in self.told(name) if one.get("works") and begin <= one["at"] < end]

    def both(self, kind: str, begin: float, end: float) -> float:
        """Seconds for which two clients worked as the owner of one lock."""
        one, other = ({int(at * 10) for at in self.works(f"{kind}-{host}", begin, end)} for host in (HOLDER, RIVAL))
        return len(one & other) / 10


class Story:
    """The phases, one after the other."""

    def __init__(self, lab: Lab, perfect: bool) -> None:
        self.lab, self.perfect = lab, perfect
        self.clients = Clients(lab)
        self.phases: list[tuple[str, float, float]] = []
        self.missing: list[str] = []

    def network(self, name: str, seconds: float, make) -> tuple[float, float]:
        with contextlib.nullcontext() if self.perfect else make():
            begin = time.time()
            time.sleep(seconds)
            end = time.time()
        self.phases.append((name, begin, end))
        print(f"{name}: {seconds:.0f} s")
        return begin, end

    def expect(self, holds: bool, what: str) -> None:
        print(f"    {'found' if holds else 'NOT FOUND'}: {what}")
        if not holds:
            self.missing.append(what)

    def sessions(self) -> None:
        """The holder of both locks is cut off: for less than its session, and for longer."""
        clients = self.clients

        def cut():
            return self.lab.partition(HOLDER, NODES)

        begin, _ = self.network("the holder cut off for less than its session", 1.2, cut)
        time.sleep(2)
        rivals = [at for kind in ("naive", "careful") for at in clients.works(f"{kind}-{RIVAL}", begin, time.time())]
        self.expect(not rivals, "the session lives on: the locks stay where they are")
        begin, _ = self.network("the holder cut off for longer than its session", 11, cut)
        until(lambda: not self.working("naive", HOLDER) or self.perfect, 30, "the holder hears that its session is gone")
        taken = [min(clients.works(f"{kind}-{RIVAL}", begin), default=begin) - begin for kind in ("naive", "careful")]
        self.expect(
            all(SESSION_S - 2 < one < SESSION_S + 5 for one in taken),
            f"the session expires: the rivals have the locks after {max(taken):.1f} s",
        )
        naive, careful = (clients.both(kind, begin, time.time()) for kind in ("naive", "careful"))
        self.expect(naive >= 1, f"the naive lock has two owners for {naive:.1f} s: who hears nothing believes it is still his")
        self.expect(careful == 0, "the careful one never has two: who hears nothing stops, before the session can expire")

    def working(self, kind: str, host: str) -> bool:
        return bool(self.clients.works(f"{kind}-{host}", time.time() - 0.5))

    def follower(self) -> None:
        """A follower is cut off from the other nodes; its clients reach it all the time."""
        lab, clients = self.lab, self.clients
        cut = next(node for node in NODES if mode(lab, node) == "follower")
        others = [node for node in NODES if node != cut]
        clients.start(RIVAL, "counter", "counter", [cut, *others])
        until(lambda: any("wrote" in one for one in clients.told("counter")), 20, "the counter counts")
        modes: list[str] = []

        def watched():
            return lab.partition(cut, others)

        with contextlib.nullcontext() if self.perfect else watched():
            begin = time.time()
            while time.time() < begin + 9:
                modes.append(mode(lab, cut))
                time.sleep(0.2)
            end = time.time()
        self.phases.append(("a follower cut off from the others", begin, end))
        print("a follower cut off from the others: 9 s")
        self.expect(modes[-1] == "", "it stops serving, although it runs and its clients reach it")
        wrote = [one for one in clients.told("counter") if "wrote" in one]
        times = [begin, *(one["at"] for one in wrote if begin < one["at"] < end), end]
        gap = max(later - earlier for earlier, later in itertools.pairwise(times))
        self.expect(1 < gap < 8, f"its client notices, goes to another node, and writes again after {gap:.1f} s")
        sessions = {one["session"] for one in wrote}
        self.expect(len(sessions) == 1, "with the same session: nothing ephemeral is lost")
        back = until(lambda: mode(lab, cut) == "follower", 30, "the follower is back")
        for host in lab.hosts.values():
            if "counter" in host.processes:
                host.processes["counter"].kill()
        latest = until(lambda: len({ask(lab, node).get("Zxid") for node in NODES}) == 1, 20, "all nodes hold the same")
        self.expect(back + latest < 20, f"healed, it is back after {back:.1f} s and holds what the others hold")


def plot(story: Story, path: Path) -> None:
    """When each client worked as its lock's owner."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.6), layout="constrained")
    axes = figure.subplots()
    names = [f"{kind}-{host}" for kind in ("careful", "naive") for host in (RIVAL, HOLDER)]
    _, begin, _ = story.phases[0]
    for name, start_s, end_s in story.phases[:2]:
        axes.axvspan(start_s - begin, end_s - begin, color="#dde6f0")
        axes.text((start_s + end_s) / 2 - begin, 3.7, "\n".join(textwrap.wrap(name, 24)), fontsize=7, va="bottom", ha="center")
    for row, name in enumerate(names):
        x = [at - begin for at in story.clients.works(name) if -3 < at - begin < story.phases[1][2] - begin + 5]
        axes.scatter(x, [row] * len(x), s=60, marker="|", color="#c33" if name.startswith("naive") else "#2a7f3f")
    axes.set(yticks=range(4), yticklabels=names, ylim=(-0.6, 3.6), xlabel="seconds; a mark: it works as the lock's owner")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--plot", type=Path, help="draw who held the locks: .svg or .png")
    parser.add_argument("--perfect", action="store_true", help="leave the network as it is: the findings must be missing")
    options = parser.parse_args()
    if not shutil.which("java") or not Path(JAR).exists():
        sys.exit("ZooKeeper is missing: apt-get install zookeeper")
    with Lab(HOLDER, RIVAL, *NODES) as lab:
        start(lab)
        story = Story(lab, options.perfect)
        story.sessions()
        story.follower()
        if options.plot:
            plot(story, options.plot)
    if story.missing:
        print(f"{len(story.missing)} findings are missing")
    return 1 if story.missing else 0


if __name__ == "__main__":
    sys.exit(main())
