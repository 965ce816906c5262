"""The wheel and the sdist: everything needed is in them, for either architecture, and no system compiler is asked for."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.repository import ROOT, files

pytestmark = pytest.mark.timeout(300)  # the first build of a C library for an architecture takes a while


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository as somebody who clones it has it."""
    copy = tmp_path_factory.mktemp("checkout")
    for path in files():
        to = copy / path.relative_to(ROOT)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, to)
    return copy


def build(kind: str, checkout: Path, to: Path, **environment: str) -> Path:
    """Builds with an empty PATH: nothing of the system's can be used."""
    backend = f"from hatchling import build; print(build.build_{kind}({str(to)!r}))"
    clean = {key: value for key, value in os.environ.items() if key not in ("PATH", "PYTHONPATH", "NETWEATHER_ARCH")}
    subprocess.run([sys.executable, "-c", backend], cwd=checkout, env={**clean, "PATH": "", **environment}, check=True)
    (made,) = to.iterdir()
    return made


def sources(pattern: str) -> int:
    return len(list(ROOT.glob(pattern)))


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_a_wheel_holds_the_natives_of_one_architecture(checkout: Path, tmp_path: Path, arch: str) -> None:
    wheel = build("wheel", checkout, tmp_path, NETWEATHER_ARCH=arch)
    assert wheel.name.endswith(f"-py3-none-manylinux2014_{arch}.musllinux_1_1_{arch}.whl")
    with zipfile.ZipFile(wheel) as archive:
        natives = {name: archive.getinfo(name) for name in archive.namelist() if "/_built/" in name}
        assert len([name for name in natives if name.endswith(".bpf.o")]) == sources("bpf/*/*.bpf.c") > 0
        pump = natives.pop(f"netweather/_built/{arch}/netweather-pump")
        assert pump.external_attr >> 16 & 0o111 == 0o111
        assert all(name.endswith(".bpf.o") for name in natives)
        assert {"netweather/py.typed", "netweather/errors.py"} <= set(archive.namelist())
        assert not [name for name in archive.namelist() if name.split("/")[0] in ("tests", "tools", "bpf", "pump")]


def test_an_sdist_is_enough_to_build_from(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "sdist").mkdir()
    (tmp_path / "wheel").mkdir()
    sdist = build("sdist", checkout, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "Makefile", "hatch_build.py", "tools/natives.py", "requirements.lock"} <= names
    assert not [name for name in names if "_built" in name]
    subprocess.run(["tar", "-C", tmp_path, "-xf", sdist], check=True)
    unpacked = tmp_path / sdist.name.removesuffix(".tar.gz")
    assert build("wheel", unpacked, tmp_path / "wheel").suffix == ".whl"
