"""The audit log: who changed what, when, why, and what came of it; a line of JSON each. Not here: what requests look at."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from netweather.conditions import NetworkCondition
from netweather.errors import NetweatherError
from netweather.service.callers import Caller

LOG: Final = logging.getLogger("netweather.agent")


class Audit:
    """Appends to a file that only its owner may read. A line that can't be written is told in the agent's log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def of(self, who: Caller, action: str, conditions: Iterable[NetworkCondition], **fields: Any) -> Iterator[dict[str, Any]]:
        """Around a change: yields its line, to be added to, and writes it with the outcome."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": time, "who": who.name, "from": who.origin, "action": action, **fields}
        asked = [
            {
                "name": each.name,
                "targets": list(each.targets),
                "owner": each.owner,
                "reason": each.reason,
                "lease": str(each.lease),
            }
            for each in conditions
        ]
        line |= {"conditions": asked} if asked else {}
        try:
            yield line
        except BaseException as error:
            self._write({**line, "outcome": error.code if isinstance(error, NetweatherError) else type(error).__name__})
            raise
        self._write({**line, "outcome": "done"})

    def _write(self, line: dict[str, Any]) -> None:
        data = (json.dumps(line, ensure_ascii=False) + "\n").encode()
        try:
            with self._lock:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
                fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    os.write(fd, data)
                finally:
                    os.close(fd)
        except OSError as error:
            LOG.error("the audit log %s can't be written: %s: %s", self.path, error, data.decode())
