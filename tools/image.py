"""Makes a container image of this checkout without any registry: a tar file for `docker import`.

    python -m tools.image dist/image.tar        writes the tar file
    python -m tools.image --tag netweather:dev  writes it and imports it into the Docker of $DOCKER_HOST

Everything comes from this machine: the Python of .venv with the packages netweather needs, the wheel, libbpf, a static
busybox as the shell, and the shared libraries these ask for. For releases there is the Dockerfile.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
PREFIX = Path("usr/local")  # Python finds its library relative to itself
SITE = Path("usr/lib/netweather")  # by PYTHONPATH: where else Python looks differs between Debian's and others
LEFT_OUT = (
    "__pycache__",
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "ensurepip",
    "config-*",
    "*.a",
)
CHANGES = ('ENTRYPOINT ["netweather"]', f"ENV PATH=/usr/local/bin:/bin PYTHONPATH=/{SITE} PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8")
COMMAND = f"#!/usr/local/bin/{VERSION}\nimport sys\n\nfrom netweather.cli import main\n\nsys.exit(main())\n"


def needed(name: str, extras: Iterable[str] = ()) -> set[str]:
    """The distributions a distribution needs, itself not included."""
    found: set[str] = set()
    waiting = [(name, frozenset(extras))]
    while waiting:
        one, wanted = waiting.pop()
        for requirement in map(Requirement, distribution(one).requires or ()):
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in (*wanted, "")):
                continue
            if requirement.name not in found:
                found.add(requirement.name)
                waiting.append((requirement.name, frozenset(requirement.extras)))
    return found


def copy_packages(names: Iterable[str], to: Path) -> None:
    """Copies what is installed; scripts stay behind."""
    for name in names:
        for file in distribution(name).files or ():
            source = Path(str(file.locate()))
            if ".." not in file.parts and source.suffix != ".pyc" and source.exists():
                (to / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, to / file)


def copy_netweather(to: Path) -> None:
    """Unpacks a wheel made now."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, str(ROOT)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(to)
    for pump in to.glob("netweather/_built/*/netweather-pump"):
        pump.chmod(0o755)


def copy_python(tree: Path) -> None:
    """The interpreter .venv stands on, and its standard library."""
    (tree / PREFIX / "bin").mkdir(parents=True)
    shutil.copy2(Path(sys.executable).resolve(), tree / PREFIX / "bin" / VERSION)
    (tree / PREFIX / "bin" / "python3").symlink_to(VERSION)
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(library, tree / PREFIX / "lib" / VERSION, ignore=shutil.ignore_patterns(*LEFT_OUT))


def libraries(binaries: Iterable[Path]) -> Iterator[Path]:
    """The shared libraries these need, where this machine has them."""
    listed = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    for found in sorted(set(re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", listed, flags=re.MULTILINE))):
        yield Path(found)


def libbpf() -> Path:
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    return Path(re.findall(r"libbpf\.so\.1 .* => (\S+)", listed)[0])


def make_tree(tree: Path) -> None:
    """A root file system with netweather and nothing that it doesn't need."""
    for folder in ("bin", "etc", "lib64", "proc", "run", "sys", "tmp", "usr/lib"):
        (tree / folder).mkdir(parents=True)
    copy_python(tree)
    copy_packages(needed("netweather", ["agent", "cri", "kubernetes", "scope"]), tree / SITE)
    copy_netweather(tree / SITE)
    modules = (tree / "usr").rglob("*.so*")
    shared = [libbpf(), *libraries([tree / PREFIX / "bin" / VERSION, libbpf(), *modules])]
    for library in shared:  # the loader where binaries ask for it, all others where it looks first
        to = tree / (str(library)[1:] if library.name.startswith("ld-linux") else f"usr/lib/{library.name}")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library.resolve(), to)
    shutil.copy2("/bin/busybox", tree / "bin/busybox")
    for applet in ("sh", "cat", "ls", "ps", "sleep", "ip", "ping", "env"):
        (tree / "bin" / applet).symlink_to("busybox")
    (tree / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    (tree / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    command = tree / PREFIX / "bin/netweather"
    command.write_text(COMMAND)
    command.chmod(0o755)


def make_image(to: Path) -> Path:
    """Writes the tar file, owned by root whoever calls."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        make_tree(Path(folder))
        subprocess.run(["tar", "--owner=0", "--group=0", "--numeric-owner", "-C", folder, "-cf", str(to), "."], check=True)
    return to


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="A container image of this checkout, without a registry.")
    parser.add_argument("file", nargs="?", type=Path, default=ROOT / "dist" / "image.tar")
    parser.add_argument("--tag", help="import it into Docker under this name")
    options = parser.parse_args(arguments)
    image = make_image(options.file)
    print(f"{image}: {image.stat().st_size >> 20} MiB")
    if options.tag:
        changes = [part for change in CHANGES for part in ("-c", change)]
        subprocess.run(["docker", "import", *changes, str(image), options.tag], check=True, stdin=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
