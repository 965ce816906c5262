"""A real video over RTP/UDP, four times at once: as it is, with 3 % of its packets lost at random, lost in bursts, and late.

    sudo .venv/bin/python examples/02-video/video.py [--plot video.svg] [--perfect]
Exit 0: every finding was there; 1: one was not (as with --perfect, which leaves the network as it is).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from netweather.testing import Lab

SECONDS, FRAMES_A_SECOND, KEY_EVERY = 12, 25, 12
SHARE = 0.03
HIDDEN_MS = 500
"""FFmpeg's receiver waits so long for a packet that others have overtaken."""


@dataclass
class Stream:
    """One of the four. words: its network; intact: for each frame, whether it was shown as it was encoded."""

    name: str
    port: int
    words: dict[str, str]
    wire: dict[str, float] = field(default_factory=dict)
    intact: list[bool] = field(default_factory=list)

    @property
    def lost(self) -> float:
        return self.wire["lost"] / self.wire["expected"]

    @property
    def late(self) -> float:
        return self.wire["late"] / self.wire["expected"]

    @property
    def damaged(self) -> float:
        """The share of frames that were not shown, or not as they were encoded."""
        return 1 - sum(self.intact) / len(self.intact)


def streams() -> list[Stream]:
    return [
        Stream("as it is", 5004, {}),
        Stream("3 % lost at random", 5014, {"loss": "3%", "seed": "11"}),
        Stream("3 % lost in bursts of 10", 5024, {"loss_model": "burst:mean=10,share=3%", "seed": "5"}),
        Stream("3 % late by 0.8 s", 5034, {"delay": "800ms", "reorder": "97%", "seed": "11"}),
    ]


def encode(lab: Lab) -> list[str]:
    """Makes the video and its description (SDP); returns the checksum of each frame as it must be shown."""
    video = str(lab.folder / "video.mp4")
    lab["sender"].run(
        "ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size=320x180:rate={FRAMES_A_SECOND}", "-t", str(SECONDS),
        "-c:v", "libx264", "-preset", "veryfast", "-b:v", "1000k", "-maxrate", "1000k", "-bufsize", "250k", "-bf", "0",
        "-g", str(KEY_EVERY), "-keyint_min", str(KEY_EVERY), "-sc_threshold", "0", "-pix_fmt", "yuv420p", video,
    )  # fmt: skip
    nowhere = f"rtp://{lab['receiver'].address}:9"
    sdp = str(lab.folder / "video.sdp")
    lab["sender"].run("ffmpeg", "-v", "error", "-i", video, "-c", "copy", "-t", "0.01", "-sdp_file", sdp, "-f", "rtp", nowhere)
    return checksums(lab["sender"].run("ffmpeg", "-v", "error", "-i", video, "-f", "framemd5", "-").stdout)


def checksums(text: str) -> list[str]:
    return [line.rpartition(" ")[2] for line in text.splitlines() if not line.startswith("#")]


def play(lab: Lab, every: list[Stream], right: list[str]) -> None:
    """Sends and receives all of them, each on its own port."""
    address, video = lab["receiver"].address, str(lab.folder / "video.mp4")
    ports = [str(stream.port) for stream in every]
    watcher = lab["receiver"].start(sys.executable, str(Path(__file__).with_name("receiver.py")), *ports, ready="log:watching")
    described = (lab.folder / "video.sdp").read_text()
    for stream in every:
        sdp = lab.folder / f"{stream.port}.sdp"
        sdp.write_text(described.replace("m=video 9 ", f"m=video {stream.port} "))
        lab["receiver"].start(
            "ffmpeg", "-v", "warning", "-y", "-threads", "1", "-protocol_whitelist", "file,udp,rtp", "-max_delay", str(HIDDEN_MS * 1000),
            "-listen_timeout", "8", "-i", str(sdp), "-f", "framemd5", str(lab.folder / f"{stream.port}.md5"),
            ready=f"udp:{stream.port}", name=f"player-{stream.port}",
        )  # fmt: skip
    senders = [
        lab["sender"].start(
            "ffmpeg",
            "-v",
            "error",
            "-re",
            "-i",
            video,
            "-c",
            "copy",
            "-f",
            "rtp",
            f"rtp://{address}:{stream.port}?pkt_size=400",
            name=f"sender-{stream.port}",
        )
        for stream in every
    ]
    for sender in senders:
        sender.wait(SECONDS + 60)
    for stream in every:
        player = lab["receiver"].processes[f"player-{stream.port}"]
        player.wait(30)  # it ends when nothing has come for 8 s
        shown = set(checksums((lab.folder / f"{stream.port}.md5").read_text()))
        stream.intact = [checksum in shown for checksum in right]
    watcher.stop()
    seen = json.loads(watcher.text().splitlines()[-1])
    for stream in every:
        stream.wire = seen[str(stream.port)]


def tell(every: list[Stream]) -> list[str]:
    """Prints what was seen. Returns the findings that are missing."""
    print(f"{'':26}{'lost':>8}{'late':>8}{'jitter':>10}{'at most':>9}{'frames damaged':>17}")
    for one in every:
        jitter, most = one.wire["jitter_ms"], one.wire["most_jitter_ms"]
        print(f"{one.name:26}{one.lost:>8.1%}{one.late:>8.1%}{jitter:>7.1f} ms{most:>6.0f} ms{one.damaged:>17.0%}")
    clean, random, bursts, late = every
    findings = {
        "without a condition nothing is lost and no frame is damaged": clean.lost == 0 and clean.damaged < 0.02,
        "about 3 % of packets are lost, at random and in bursts": 0.02 < random.lost < 0.04 and 0.01 < bursts.lost < 0.06,
        "lost at random they damage more than half of the frames": random.damaged > 0.5,
        "the same share in bursts damages far fewer": 0.05 < bursts.damaged < 0.7 * random.damaged,
        "3 % late: none is lost on the wire": late.lost < 0.01 and 0.015 < late.late < 0.05,
        "but a player that waits half a second shows as much damage": late.damaged > 0.5,
        "and jitter (RFC 3550) tells: it is ten times as high": late.wire["jitter_ms"] > 10 * clean.wire["jitter_ms"],
    }
    for what, found in findings.items():
        print(f"    {'found' if found else 'NOT FOUND'}: {what}")
    return [what for what, found in findings.items() if not found]


def plot(every: list[Stream], path: Path) -> None:
    """A row for each stream, a mark for each frame."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.6), layout="constrained")
    axes = figure.subplots()
    for row, one in enumerate(reversed(every)):
        for intact, colour in ((True, "#2a7f3f"), (False, "#c33")):
            at = [number / FRAMES_A_SECOND for number, ok in enumerate(one.intact) if ok == intact]
            axes.scatter(at, [row] * len(at), s=90, marker="|", color=colour, linewidths=1.2)
    names = [f"{one.name}: {one.damaged:.0%} damaged" for one in reversed(every)]
    axes.set(
        yticks=range(len(every)),
        yticklabels=names,
        xlabel="seconds of video, a mark for each frame; red: not shown as it was encoded",
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--plot", type=Path, help="draw every frame: .svg or .png")
    parser.add_argument("--perfect", action="store_true", help="leave the network as it is: the findings must be missing")
    options = parser.parse_args()
    if not shutil.which("ffmpeg"):
        sys.exit("ffmpeg is missing: apt-get install ffmpeg")
    every = streams()
    with Lab("sender", "receiver") as lab, contextlib.ExitStack() as networks:
        right = encode(lab)
        for one in every:
            if one.words and not options.perfect:
                on = lab.degrade("sender", to="receiver", port=str(one.port), protocol="udp", direction="egress", **one.words)
                networks.enter_context(on)
        play(lab, every, right)
    missing = tell(every)
    if options.plot:
        plot(every, options.plot)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
