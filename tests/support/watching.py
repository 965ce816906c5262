"""What must be done even when this session is killed: by a watcher that outlives it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def if_killed(*command: str, environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Runs a command, at the root of the repository, should this process end before the context does."""
    # A line is a farewell; the end of the pipe without one is a death.
    watcher = ["sh", "-c", 'read -r farewell || exec "$@"', "watcher", *command]
    process = subprocess.Popen(watcher, stdin=subprocess.PIPE, cwd=ROOT, env=environment, start_new_session=True)
    try:
        yield
    finally:
        process.communicate(b"farewell\n")
