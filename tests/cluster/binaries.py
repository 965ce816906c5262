"""Kubernetes' programs, built once from Debian's source package into a cache outside the repository.

Debian ships only the client; its source package has everything, with its dependencies vendored. The build takes about five minutes of two
cores, and needs nothing but Debian's packages; its result is used for as long as the package has that version.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.support import packages
from tests.support.kernels import KEYS, NoGuest, mirror

PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
SUITE = "bookworm"
VERSION = "1.20.2"
"""What the suite's package has; another one is built when this changes."""


REFLECT2 = "vendor/github.com/modern-go/reflect2"
VALIDATE = "vendor/k8s.io/kube-openapi/pkg/validation/validate"
MENDED = {
    # A library of 2018 that reaches into Go's own maps; with a Go of 1.18 or later, whose maps are iterated otherwise, it crashes.
    f"{REFLECT2}/unsafe_link.go": {
        "m unsafe.Pointer) *hiter": "m unsafe.Pointer, it *hiter)",
        "// rest fields are ignored": """t, h, buckets, bptr unsafe.Pointer
	overflow, oldoverflow *[]unsafe.Pointer
	startBucket uintptr
	offset uint8
	wrapped bool
	b, i uint8
	bucket, checkBucket uintptr""",
    },
    f"{REFLECT2}/unsafe_map.go": {
        "return &UnsafeMapIterator{": """var it hiter
	mapiterinit(type2.rtype, *(*unsafe.Pointer)(obj), &it)
	return &UnsafeMapIterator{""",
        "mapiterinit(type2.rtype, *(*unsafe.Pointer)(obj)),": "&it,",
    },
    # Compares two reflect.Values, which was never true, and is for empty texts since Go keeps one zero for all: they were refused.
    f"{VALIDATE}/type.go": {
        "data == nil || reflect.DeepEqual(reflect.Zero(reflect.TypeOf(data)), reflect.ValueOf(data))": "data == nil"
    },
}
"""What a source of then needs to work with a Go of now: what is put in place of what, by file."""


class NoCluster(Exception):
    """There can be no cluster here, and why."""


def cache() -> Path:
    """Where what was built stays from one run to the next."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "netweather" / "kubernetes" / VERSION


def programs() -> Path:
    """The folder with the programs; built when they are not there. Raises NoCluster."""
    place = cache()
    if not built(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with (place.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not built(place):
                _build(place)
    return place


def built(place: Path | None = None) -> bool:
    """Whether they are there."""
    return all(((place or cache()) / name).exists() for name in PROGRAMS)


def _build(place: Path) -> None:
    if reason := packages.need("golang-go", "rsync", "make", "gcc"):
        raise NoCluster(reason)
    with tempfile.TemporaryDirectory(prefix="nwt-kubernetes-", dir=place.parent) as name:
        folder = Path(name)
        tree = _source(folder)
        make(tree, folder)
        ready = folder / "ready"
        ready.mkdir()
        for program in PROGRAMS:
            shutil.move(tree / "_output" / "bin" / program, ready / program)
            _do("strip", str(ready / program))
        shutil.rmtree(place, ignore_errors=True)
        ready.rename(place)
        _do("chmod", "-R", "u+w", name)  # Go's caches are read-only


def _source(folder: Path) -> Path:
    """The source tree. Debian's own patches concern the client only, so they are left out, and with them its tools."""
    lists = folder / "lists"
    (lists / "partial").mkdir(parents=True)
    sources = folder / "sources.list"
    try:
        sources.write_text(f"deb-src [signed-by={KEYS}] {mirror()} {SUITE} main\n")
    except NoGuest as error:
        raise NoCluster(str(error)) from error
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::Lists": lists,
        "APT::Sandbox::User": "root",  # another user can't read a home's cache
    }
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    _do("apt-get", *options, "-qq", "update")
    _do("apt-get", *options, "-qq", "source", "--download-only", "kubernetes", cwd=folder)
    (archive,) = folder.glob(f"kubernetes_*{VERSION}.orig.tar.*")
    tree = folder / "kubernetes"
    tree.mkdir()
    _do("tar", "-xf", str(archive), "-C", str(tree), "--strip-components=1")
    mend(tree)
    return tree


def mend(tree: Path) -> None:
    """Lets a source tree of then work with a Go of now."""
    for name, changes in MENDED.items():
        text = (tree / name).read_text()
        for before, after in changes.items():
            if before not in text:
                raise NoCluster(f"{name} has no {before!r}: see whether it still needs mending")
            text = text.replace(before, after)
        (tree / name).write_text(text)


def make(tree: Path, folder: Path) -> None:
    """Builds the programs in a source tree. folder: for what comes of it besides."""
    home = tree / ".go" / "src" / "k8s.io"
    home.mkdir(parents=True)
    (home / "kubernetes").symlink_to("../../..")
    version = folder / "version"  # else it calls itself v0.0.0
    major, minor, _ = VERSION.split(".")
    facts = {"COMMIT": "debian", "TREE_STATE": "archive", "VERSION": f"v{VERSION}", "MAJOR": major, "MINOR": minor}
    version.write_text("".join(f"KUBE_GIT_{key}='{value}'\n" for key, value in facts.items()))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GOPATH": str(tree / ".go"),
        "GOCACHE": str(folder / "gocache"),
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",
        "KUBE_GIT_VERSION_FILE": str(version),
    }
    _do("nice", "-n", "5", "make", f"WHAT={' '.join(f'cmd/{name}' for name in PROGRAMS)}", cwd=tree, environment=environment)


def _do(*command: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoCluster(f"{' '.join(command)}: exit {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}")
