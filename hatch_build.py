"""The build hook: compiles the native parts and tags the wheel for its architecture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))
from tools import natives


class NativesHook(BuildHookInterface[Any]):
    """One wheel per architecture serves every Python: nothing in it is linked against Python or a C library."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        arch = natives.machine()
        root = Path(self.root)
        built = root / "src" / "netweather" / "_built"
        made = natives.build(root, built, arch)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux2014_{arch}.musllinux_1_1_{arch}"
        if version != "editable":  # an editable install finds them in the source tree
            build_data["force_include"] = {str(path): f"netweather/_built/{path.relative_to(built)}" for path in made}
