"""Draws docs/picture.svg: the round trips of a ping, measured while a condition is set, changed and cleared.

.venv/bin/python -m tools.picture        as root; takes 15 seconds; needs matplotlib (the extra `plot`)
"""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from netweather.conditions import load_rule
from netweather.conditions.model import NetworkCondition
from netweather.engine import Engine
from netweather.settings import Settings
from netweather.targets import resolve
from tests.support.netns import Lab, lab

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "picture.svg"
STEP_S = 3.0
JITTERY = {"time": "50ms", "jitter": "10ms", "distribution": "normal"}
STEPS: tuple[tuple[str, dict[str, object] | None], ...] = (
    ("nothing asked", None),
    ("--delay 20ms", {"delay": "20ms"}),
    ("--delay 50ms\n--jitter 10ms\n--distribution normal", {"delay": JITTERY}),
    ("--delay 20ms\n--loss 20%", {"delay": "20ms", "loss": "20%"}),
    ("clear", None),
)


@dataclass
class Measured:
    """What ping saw. at: s since the beginning; rtt: ms; lost: when a packet was sent that never came back."""

    at: list[float]
    rtt: list[float]
    lost: list[float]


def measure(net: Lab, state: Path) -> Measured:
    """Pings at 50 packets a second through all steps; the condition changes under the running ping."""
    engine = Engine(Settings(state=state))
    warm_up(engine, net)
    command = [
        "ip",
        "netns",
        "exec",
        net.client.name,
        "ping",
        "-D",
        "-O",
        "-i",
        "0.02",
        "-w",
        str(int(STEP_S * len(STEPS))),
        str(net.server.v4),
    ]
    begin = time.time()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ping, resolve(f"netns:{net.client.name}")[0] as target:
        for number, (_, spelled) in enumerate(STEPS):
            time.sleep(max(0.0, begin + number * STEP_S - time.time()))
            if spelled is not None:
                engine.set(target, NetworkCondition(rules=(load_rule({"condition": spelled, "direction": "egress"}),)))
            else:
                engine.clear(target)
        output = ping.communicate()[0]
    answers = re.findall(r"\[([0-9.]+)\] .*icmp_seq=(\d+) .*time=([0-9.]+) ms", output)
    sent = {int(n): float(t) - float(ms) / 1000 - begin for t, n, ms in answers}
    missing = sorted(set(range(1, max(sent))) - set(sent))
    return Measured(list(sent.values()), [float(ms) for *_, ms in answers], [sent_about(n, sent) for n in missing])


def warm_up(engine: Engine, net: Lab) -> None:
    """Imports and caches: what the picture shows is the change, not Python's start."""
    with resolve(f"netns:{net.client.name}")[0] as target:
        engine.set(target, NetworkCondition(rules=(load_rule({"condition": {"delay": "1ms"}}),)))
        engine.clear(target)


def sent_about(number: int, sent: dict[int, float]) -> float:
    """When an unanswered ping was sent: between its neighbours that were answered."""
    before, after = max(n for n in sent if n < number), min(n for n in sent if n > number)
    return sent[before] + (sent[after] - sent[before]) * (number - before) / (after - before)


def draw(measured: Measured) -> None:
    """The picture of the README."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "netweather", "font.size": 9, "font.family": "DejaVu Sans"})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 3.4))
    for number, (name, _) in enumerate(STEPS):
        axes.axvspan(number * STEP_S, (number + 1) * STEP_S, color="#eef3f8" if number % 2 else "white", zorder=0)
        axes.text((number + 0.5) * STEP_S, 117, name, ha="center", va="top", fontfamily="DejaVu Sans Mono", fontsize=8)
    axes.plot(measured.at, measured.rtt, ".", markersize=3, color="#1f6fb2", label="round trip of one ping, measured")
    axes.plot(measured.lost, [2] * len(measured.lost), "x", markersize=4, color="#c0392b", label="lost")
    axes.set(xlim=(0, STEP_S * len(STEPS)), ylim=(-3, 120), xlabel="seconds", ylabel="round trip, ms")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", frameon=False, bbox_to_anchor=(0, 0.8))
    figure.tight_layout()
    figure.savefig(PICTURE, metadata={"Date": None})


def main() -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as state, lab() as net:
        measured = measure(net, Path(state))
    draw(measured)
    print(f"{PICTURE.name}: {len(measured.at)} round trips, {len(measured.lost)} lost")


if __name__ == "__main__":
    main()
