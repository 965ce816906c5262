from __future__ import annotations

import subprocess
import sys
import types

from netweather import targets


def test_the_public_names_are_what_all_says() -> None:
    public = {
        name for name, value in vars(targets).items() if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public - {"annotations"} == set(targets.__all__)


def test_importing_it_imports_no_client() -> None:
    script = (
        "import sys, netweather.targets; print([m for m in ('http.client', 'socket', 'yaml', 'asyncio') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_peer_is_resolved_through_the_package() -> None:
    (peer,) = targets.resolve_peers("198.51.100.0/24")
    assert str(peer.prefix) == "198.51.100.0/24"
