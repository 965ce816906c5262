from __future__ import annotations

import subprocess
import sys

import pytest

from netweather import demo


def test_importing_it_loads_nothing_heavy() -> None:
    script = "import sys, netweather.demo; print([m for m in ('rich', 'asyncio', 'netweather.engine') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_wrong_usage_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        demo.main(["--slow"])
    assert caught.value.code == 2
    assert "--slow" in capsys.readouterr().err
