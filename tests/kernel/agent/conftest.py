"""A real agent of the test's own, on real namespaces: its state in a folder that nobody else uses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from netweather.client import Client
from netweather.conditions import NetworkCondition, load
from netweather.journal import Journal
from netweather.settings import Settings
from tests.support import dumps
from tests.support.daemons import listens
from tests.support.machine import SLOW
from tests.support.netns import Lab, lab
from tests.support.rig import until
from tests.support.watching import if_killed

PROGRAM = [sys.executable, "-c", "import sys; from netweather.cli import main; sys.exit(main())"]

TIED = ["setpriv", "--pdeathsig", "TERM"]
"""In front of the agent's command: it ends with us."""


def condition(target: str, name: str = "slow", lease: str = "1m", **what: Any) -> NetworkCondition:
    """30 ms each way on a target, unless told otherwise."""
    rules = [{"condition": what or {"delay": "30ms"}}]
    return load({"name": name, "targets": [target], "lease": lease, "rules": rules})


@dataclass
class RealAgent:
    """The agent's process, and what to ask it with."""

    state: Path
    words: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NETWEATHER_")}
        audit = self.state.parent / "audit.log"
        self.environment = {**kept, "NETWEATHER_STATE": str(self.state), "NETWEATHER_AUDIT": str(audit), "COLUMNS": "80"}
        self.settings = Settings(state=self.state)
        self.address = f"unix://{self.settings.socket}"

    def start(self) -> None:
        """Returns when it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*TIED, *PROGRAM, "agent", *self.words], env=self.environment, stderr=log)
        until(self.answers, 20, f"the agent answers: {self.log.read_text()[-500:]}")

    @property
    def log(self) -> Path:
        return self.state.parent / "agent.log"

    def answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log.read_text()
        if not listens(self.settings.socket):
            return False
        with self.client() as client:
            return bool(client.look("health")["status"] == "ok")

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(20)

    def client(self) -> Client:
        return Client(self.address)

    def cli(self, *words: str, code: int = 0) -> str:
        """What the command line prints, which finds the agent by itself."""
        done = subprocess.run(
            [*PROGRAM, *words], env=self.environment, capture_output=True, text=True, timeout=60 * SLOW, check=False
        )
        assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in Path(self.environment["NETWEATHER_AUDIT"]).read_text().splitlines()]

    def gone(self) -> None:
        """Devices go in the background."""
        until(lambda: self.folders() == [], 20, "nothing of the targets is left")

    def folders(self) -> list[str]:
        """The targets that have a journal."""
        return Journal(self.state).identities()


@contextmanager
def real_agent(state: Path, *words: str, **environment: str) -> Iterator[RealAgent]:
    """An agent that answers; at the end it stops, and everything of it is cleared without it: also when this session is killed."""
    made = RealAgent(state, words)
    made.environment.update(environment)
    with if_killed(*PROGRAM, "clear", "--all", "--direct", environment=made.environment):
        made.start()
        try:
            yield made
        finally:
            if made.process and made.process.poll() is None:
                made.stop()
            made.cli("clear", "--all")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[RealAgent]:
    with real_agent(tmp_path / "state") as made:
        yield made
    assert made.folders() == []


@pytest.fixture
def net() -> Iterator[Lab]:
    """A client and a server that have settled: dumps can be compared."""
    with lab() as made:
        for namespace in made.namespaces:
            dumps.settled(namespace)
        yield made
