"""Kernel modules, loaded by modprobe. Only where the host's owner allowed it: nothing but `doctor --modprobe` comes here.

Not here: what the kernel loads by itself when it is asked for something, as it does for tc.
"""

from __future__ import annotations

import subprocess
from typing import Final

_PATIENCE_S: Final = 20.0


def load(name: str) -> str | None:
    """Loads a module and what it needs; one that is there already is no error. Returns why it could not be, or None."""
    try:
        done = subprocess.run(["modprobe", "--", name], capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except FileNotFoundError:
        return "modprobe is not installed"
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"modprobe {name} failed: {error}"
    if done.returncode == 0:
        return None
    words = done.stderr.strip().splitlines()
    return f"modprobe {name} failed: {words[-1] if words else f'exit {done.returncode}'}"
