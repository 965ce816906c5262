"""The real plugin in a process of its own, with a state that nobody else uses, and a probe that asks it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.rig import until
from tests.support.scope import Probe, Report

ID = "traffic-control"
PROGRAM = [sys.executable, "-c", "import sys; from netweather.cli import main; sys.exit(main())"]
TABLE, SUMMARY = "traffic-control-table", "nw-summary"
SLOW, MEDIUM, FAST, DROP, CLEAR = (f"{TABLE}-{word}" for word in ("slow", "medium", "fast", "pkt-drop-low", "clear"))
END_ALL = "traffic-control-end-all"
PATIENCE_S = 20.0


@dataclass
class RealPlugin:
    """home: its folder. more: of its environment, such as DOCKER_HOST; what is not named is not there."""

    home: Path
    more: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(init=False)
    probe: Probe = field(init=False)

    def __post_init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NETWEATHER_")}
        nobody = {"DOCKER_HOST": f"unix://{self.home}/no.sock", "CONTAINER_RUNTIME_ENDPOINT": f"unix://{self.home}/no.sock"}
        self.environment = {**kept, **nobody, "NETWEATHER_STATE": str(self.state), "COLUMNS": "80", **self.more}
        self.environment["NETWEATHER_AUDIT"] = str(self.home / "audit.log")
        self.probe = Probe(self.home / "plugins", timeout_s=PATIENCE_S)
        self.probe.root.mkdir(exist_ok=True)

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def log(self) -> Path:
        return self.home / "plugin.log"

    @property
    def socket(self) -> Path:
        return self.probe.root / ID / f"{ID}.sock"

    def start(self, *words: str) -> None:
        """Returns when it answers."""
        command = [*PROGRAM, "scope-plugin", "--root", str(self.probe.root), *self.words, *words]
        with self.log.open("ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen(command, env=self.environment, stderr=log)
        until(lambda: self._ready(begin), PATIENCE_S, "the plugin answers")

    def _ready(self, begin: int) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log.read_text()
        return b"ready:" in self.log.read_bytes()[begin:]

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """Ends it, and what it has set."""
        if self.process and self.process.poll() is None:
            self.stop()
        if any(self.state.glob("targets/*")):
            self.cli("clear", "--all")

    def report(self) -> Report:
        return self.probe.report(ID)

    def appeared(self, container: str) -> None:
        """Waits until a container is in the report."""
        until(lambda: f"{container};<container>" in self.report().nodes, PATIENCE_S, "the container is in the report")

    def told(self, container: str, said: str | None = None, **rows: str) -> None:
        """Waits until the original's table of a container has these values, and its summary begins with this."""
        what = f"the table says {rows}, the summary {said}"
        until(lambda: self._tells(self.report(), container, said, rows), PATIENCE_S, what)

    def _tells(self, report: Report, container: str, said: str | None, rows: dict[str, str]) -> bool:
        summary = report.values(container)[SUMMARY]
        return rows.items() <= report.table(container).items() and (said is None or summary.startswith(said))

    def summary(self, container: str) -> str:
        """The line that says all of a container."""
        return self.report().values(container)[SUMMARY]

    def press(self, container: str, control: str) -> None:
        """Presses a button, and waits until it is done."""
        assert (error := self.error(container, control)) == "", error

    def error(self, container: str, control: str) -> str:
        """Presses a button. What went wrong: answered, or, on a machine that is slow just now, told by the table."""
        pressed = self.probe.press(ID, container, control)
        until(lambda: "being set" not in self.summary(container), PATIENCE_S, f"{control} is done")
        note = self.summary(container).rpartition("left; ")[2]
        return pressed.error or (note if ": " in note and note.endswith("]") else "")

    def cli(self, *words: str) -> str:
        """What the command line prints."""
        done = subprocess.run([*PROGRAM, *words], env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout
