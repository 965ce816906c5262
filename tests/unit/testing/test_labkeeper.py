from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from netweather.testing import labkeeper


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "netns").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(labkeeper, "FOLDER", tmp_path / "netns")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path


def test_each_lab_of_a_process_has_its_own_name() -> None:
    one, other = labkeeper.stem(), labkeeper.stem()
    assert one != other
    assert one.startswith(f"nwlab-{os.getpid()}-")


def test_only_what_dead_owners_left_is_forsaken(folders: Path) -> None:
    living = labkeeper.stem()
    dead = f"nwlab-{os.getpid()}-1-0"
    for name in (f"{living}-shop", f"{dead}-shop", f"{dead}-switch.0", "nwlab-notes", "db"):
        (folders / "netns" / name).touch()
    (folders / "tmp" / f"nwlab-{os.getpid()}-2-5").mkdir()
    assert labkeeper.forsaken() == [dead, f"nwlab-{os.getpid()}-2-5"]
    assert labkeeper.left(living) == [f"{living}-shop"]


def test_removing_is_repeatable_and_takes_the_files(folders: Path) -> None:
    stem = labkeeper.stem()
    (folders / "netns" / f"{stem}-shop").touch()
    labkeeper.folder_of(stem).mkdir()
    for _ in range(2):
        labkeeper.remove(stem)
        assert labkeeper.left(stem) == []
        assert not labkeeper.folder_of(stem).exists()


def test_while_it_waits_it_has_loaded_nothing() -> None:
    code = f"import runpy, sys; runpy.run_path({labkeeper.__file__!r}); print([m for m in sys.modules if m.startswith('netweather')])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_it_takes_a_lab_and_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-P", labkeeper.__file__, "other"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "other is no lab's name\n")
