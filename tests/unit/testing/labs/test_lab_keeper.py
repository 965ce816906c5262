from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from netweather.testing.labs import lab_keeper


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "netns").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(lab_keeper, "FOLDER", tmp_path / "netns")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path


def test_each_lab_of_a_process_has_its_own_name() -> None:
    one, other = lab_keeper.stem(), lab_keeper.stem()
    assert one != other
    assert one.startswith(f"nwlab-{os.getpid()}-")


def test_only_what_dead_owners_left_is_forsaken(folders: Path) -> None:
    living = lab_keeper.stem()
    dead = f"nwlab-{os.getpid()}-1-0"
    for name in (f"{living}-shop", f"{dead}-shop", f"{dead}-switch.0", "nwlab-notes", "db"):
        (folders / "netns" / name).touch()
    (folders / "tmp" / f"nwlab-{os.getpid()}-2-5").mkdir()
    assert lab_keeper.forsaken() == [dead, f"nwlab-{os.getpid()}-2-5"]
    assert lab_keeper.left(living) == [f"{living}-shop"]


def test_removing_is_repeatable_and_takes_the_files(folders: Path) -> None:
    stem = lab_keeper.stem()
    (folders / "netns" / f"{stem}-shop").touch()
    lab_keeper.folder_of(stem).mkdir()
    for _ in range(2):
        lab_keeper.remove(stem)
        assert lab_keeper.left(stem) == []
        assert not lab_keeper.folder_of(stem).exists()


def test_while_it_waits_it_has_loaded_nothing() -> None:
    code = f"import runpy, sys; runpy.run_path({lab_keeper.__file__!r}); print([m for m in sys.modules if m.startswith('netweather')])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_it_takes_a_lab_and_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-P", lab_keeper.__file__, "other"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "other is not the name of a lab\n")
