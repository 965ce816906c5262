"""What becomes of a probe's outcome: three answers, with the reason and the remedy. The probes: tests/kernel/test_probes.py."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.kernel.features import features
from netweather.kernel.features.features import FEATURES, Feature, Finding, ProbeEnvironment
from netweather.kernel.features.probes import NotSupported
from netweather.kernel.host_info import HostInfo

HOST = HostInfo("6.1.0", "x86_64", {"VETH": "m"}, ("debian",), modules=Path("/nonexistent"))
BENCH = ProbeEnvironment(Path("/nonexistent"), HOST)


def found(error: Exception | None, **fields: object) -> tuple[str, str, str]:
    """(answer, detail, remedy) of a feature whose probe ends so."""

    def probe(bench: ProbeEnvironment) -> str:
        if error is not None:
            raise error
        return "there"

    feature = Feature("x", "testing", "needed", probe)
    finding = features.probe(replace(feature, **fields), BENCH)  # type: ignore[arg-type]  # of the test's own
    return finding.state, finding.detail, finding.remedy


def test_what_is_there() -> None:
    assert found(None) == ("yes", "there", "")


def test_a_probe_that_knows_why() -> None:
    assert found(NotSupported("it is switched off"), remedy="switch it on") == ("no", "it is switched off", "switch it on")
    assert found(NotSupported("it is off", "then do this"), remedy="switch it on") == ("no", "it is off", "then do this")


def test_what_the_kernel_does_not_know() -> None:
    error = OSError(errno.EOPNOTSUPP, "Operation not supported")
    assert found(error, minimum="6.6") == ("no", "Linux 6.1.0 is older than 6.6", "use Linux 6.6 or later")
    assert found(error, option="VLAN") == ("no", "this kernel was built without CONFIG_VLAN", "use a kernel with CONFIG_VLAN")
    assert found(error)[0] == "no"


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EPERM, "Operation not permitted"),
        NetweatherError("bpf-refused", "the kernel refused", "Operation not permitted"),
    ],
)
def test_what_was_not_allowed_says_nothing(error: Exception) -> None:
    assert found(error, remedy="x") == ("unknown", "not permitted to try", "")


def test_what_was_in_the_way_says_nothing() -> None:
    assert found(OSError(errno.ENOMEM, "Cannot allocate memory"))[0] == "unknown"
    assert found(ValueError("huh")) == ("unknown", "huh", "")


def test_our_own_errors_are_a_no() -> None:
    error = NetweatherError("not-built", "there is no pump", "/x")
    assert found(error, remedy="make build") == ("no", "there is no pump: /x", "make build")


def test_what_something_else_does_worse_has_its_remedy_all_the_same() -> None:
    error = OSError(errno.ENOENT, "No such file or directory")
    assert (
        found(error, need="better", instead="the pump does it", option="NET_SCH_NETEM")[2]
        == "use a kernel with CONFIG_NET_SCH_NETEM"
    )


def test_nothing_needs_doing_where_something_else_does_as_well() -> None:
    assert found(NotSupported("x"), need="extra", instead="the pump does it", remedy="y") == ("no", "x", "")


def test_a_package_by_distribution() -> None:
    assert found(NotSupported("x"), package="libbpf")[2] == "apt-get install libbpf1"


def everything(**states: str) -> list[Finding]:
    return [Finding(feature, states.get(feature.name.replace("-", "_"), "yes"), "") for feature in FEATURES]  # type: ignore[arg-type]  # a State


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({}, True),
        ({"netem": "no", "docker": "no", "btf": "no", "jit": "no"}, True),
        ({"tcx": "no"}, True),
        ({"clsact": "no", "cls_bpf": "no"}, True),
        ({"tcx": "no", "cls_bpf": "unknown"}, False),
        ({"tun": "no"}, False),
        ({"root": "unknown"}, False),
    ],
)
def test_whether_it_works(states: dict[str, str], expected: bool) -> None:
    assert features.works(everything(**states)) is expected


def test_each_feature_says_what_it_is_for() -> None:
    assert len({feature.name for feature in FEATURES}) == len(FEATURES)
    assert all(feature.purpose and len(feature.name) <= 13 for feature in FEATURES)


class Loaded:
    """A feature that is there once its module is; modprobe is made up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, works: bool) -> None:
        self.asked: list[str] = []
        self.works = works
        folder = tmp_path / HOST.release
        folder.mkdir()
        (folder / "sch_netem.ko").touch()
        self.bench = ProbeEnvironment(tmp_path, replace(HOST, modules=tmp_path))
        self.feature = Feature("x", "testing", "better", self.probe, option="NET_SCH_NETEM", module="sch_netem")
        monkeypatch.setattr(features.host_info, "load", self.load)

    def probe(self, bench: ProbeEnvironment) -> str:
        if not (self.asked and self.works):
            raise OSError(errno.ENOENT, "No such file or directory")
        return "there"

    def load(self, name: str) -> str | None:
        self.asked.append(name)
        return None if self.works else "modprobe sch_netem failed: no"


@pytest.mark.parametrize(("works", "state"), [(True, "yes"), (False, "no")])
def test_a_module_is_loaded_only_when_that_is_allowed(
    works: bool, state: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = Loaded(monkeypatch, tmp_path, works=works)
    assert features.probe(made.feature, made.bench).state == "no"
    assert made.asked == []
    finding = features._with_module(made.feature, made.bench)
    assert (finding.state, made.asked) == (state, ["sch_netem"])
    assert ("was loaded" if works else "modprobe sch_netem failed") in finding.detail


def test_what_could_not_be_told_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["unknown", "no", "yes"])
    monkeypatch.setattr(features, "_known", {})
    monkeypatch.setattr(features, "probe", lambda feature, bench: Finding(feature, next(answers), ""))  # type: ignore[arg-type]  # a State
    assert [features.there("netem") for _ in range(3)] == [False, False, False]
    assert features.answer("netem").state == "no"
    assert next(answers) == "yes"
