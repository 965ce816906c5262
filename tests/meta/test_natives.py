"""tools/natives.py: compiles what changed and nothing else; the result depends on the content only."""

import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import natives

BPF = """
struct __sk_buff { unsigned int len; } __attribute__((preserve_access_index));
__attribute__((section("tc"), used)) int f(struct __sk_buff *skb) { return skb->len == LENGTH; }
char _license[] __attribute__((section("license"), used)) = "GPL";
"""
PUMP = '#include <stdio.h>\n#include "greeting.h"\nint main(void) { puts(GREETING); return 0; }\n'

pytestmark = pytest.mark.timeout(240)  # the first build of a C library for an architecture takes a while


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A little repository with one BPF program and one pump."""
    root = tmp_path / "here"
    for name, text in {
        "bpf/look/look.bpf.c": f'#include "look.h"\n{BPF}',
        "bpf/look/look.h": "#define LENGTH 64\n",
        "pump/pump.c": PUMP,
        "pump/greeting.h": '#define GREETING "hello"\n',
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What was really compiled, by name; with a cache of this test's own."""
    monkeypatch.setattr(natives, "cache_folder", lambda: tmp_path / "cache")  # not the compiler's own, which holds a C library
    names: list[str] = []
    really: Callable[..., None] = natives.compile_object

    def compile_and_note(wanted: natives.Object, root: Path, to: Path) -> None:
        names.append(wanted.output.name)
        really(wanted, root, to)

    monkeypatch.setattr(natives, "compile_object", compile_and_note)
    return names


def test_both_are_built_and_the_pump_runs(sources: Path, compiled: list[str]) -> None:
    made = natives.build(sources, arch="x86_64")
    built = sources / "src/netweather/_built"
    assert made == {built / "bpf/look.bpf.o": True, built / "x86_64/netweather-pump": True}
    assert (built / "bpf/look.bpf.o").read_bytes()[18:20] == b"\xf7\x00"  # EM_BPF
    assert compiled == ["look.bpf.o", "netweather-pump"]
    if platform.machine() == "x86_64":
        assert subprocess.run([built / "x86_64/netweather-pump"], capture_output=True, check=True).stdout == b"hello\n"


def test_nothing_is_compiled_twice(sources: Path, compiled: list[str], tmp_path: Path) -> None:
    natives.build(sources, arch="x86_64")
    elsewhere = sources.rename(tmp_path / "elsewhere")  # the same content in another folder
    again = natives.build(elsewhere, tmp_path / "built", arch="x86_64")
    assert list(again.values()) == [True, True]
    assert list(natives.build(elsewhere, tmp_path / "built", arch="x86_64").values()) == [False, False]
    assert len(compiled) == 2


def test_a_header_renews_what_may_include_it(sources: Path, compiled: list[str]) -> None:
    natives.build(sources, arch="x86_64")
    compiled.clear()
    (sources / "bpf/look/look.h").write_text("#define LENGTH 1500\n")
    made = natives.build(sources, arch="x86_64")
    assert compiled == ["look.bpf.o"]
    assert list(made.values()) == [True, False]


def test_no_path_of_this_machine_gets_in(sources: Path, compiled: list[str]) -> None:
    for path in natives.build(sources, arch="x86_64"):
        assert str(sources).encode() not in path.read_bytes()


def test_what_has_no_source_any_more_goes(sources: Path, compiled: list[str]) -> None:
    (pump,) = [path for path in natives.build(sources, arch="x86_64") if path.name == natives.PUMP]
    for path in (sources / "pump").iterdir():
        path.unlink()
    assert pump not in natives.build(sources, arch="x86_64")
    assert not pump.exists()


def test_no_sources_make_nothing(tmp_path: Path) -> None:
    assert natives.build(tmp_path, arch="aarch64") == {}


def test_an_error_is_the_compilers(sources: Path, compiled: list[str]) -> None:
    (sources / "bpf/look/look.bpf.c").write_text("int f(void) { return nothing; }\n")
    with pytest.raises(natives.BuildError, match=r"look\.bpf\.c(.|\n)*nothing"):
        natives.build(sources, arch="x86_64")


def test_architectures_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWEATHER_ARCH", "arm64")
    assert natives.machine() == "aarch64"
    assert natives.machine("AMD64") == "x86_64"
    with pytest.raises(natives.BuildError, match="sparc"):
        natives.machine("sparc")
