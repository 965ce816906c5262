"""Every flag of a condition or a match, as a user writes it: it is in force as asked, or refused with a reason.

What stands in the kernel is read back: the pump's own parameters for a condition, the rules for a match. What packets see of each is
in tests/fidelity (conditions) and test_classify_*.py (matches).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from netweather.cli import main
from netweather.conditions import FLAGS, load, network_condition_from_flags, network_condition_to_flags
from netweather.engine import Engine, entries
from netweather.kernel.datapath.pump_file import ParamsFile
from netweather.lines.params import ONE, ConfigError, LineParams, LineStats, LossModel, QueuePolicy
from netweather.settings import Settings
from netweather.targets import Target, resolve
from tests.support.netns import lab
from tests.support.rig import MS, until

FILES = {"train.trace": "10\n20\n", "mine.dist": "-8192 0 8192 8192\n", "own.yaml": "office: {both: {delay: 7ms}}\n"}
Row = tuple[str, dict[str, Any]]


def p(share: float) -> Any:
    """A probability as the pump has it, rounded either way."""
    return pytest.approx(share * ONE, abs=1)


def rho(share: float) -> Any:
    """A correlation."""
    return pytest.approx(share * (ONE - 1), abs=1)


CONDITIONS: tuple[Row, ...] = (
    # what is written                                       what the line's parameters then are
    ("--profile satellite", {"delay_ns": lambda ns: ns > 200 * MS}),
    ("--profile satellite --delay 1ms", {"delay_ns": 1 * MS}),
    ("--profile office", {"delay_ns": 7 * MS}),
    ("--delay 100ms", {"delay_ns": 100 * MS, "jitter_ns": 0}),
    ("--delay 0s", {"delay_ns": 0}),
    ("--rtt 200ms", {"delay_ns": 100 * MS}),
    ("--delay 100ms --jitter 20ms", {"jitter_ns": 20 * MS, "delay_table": (), "keep_order": False}),
    ("--delay 100ms --jitter 20ms --delay-correlation 25%", {"delay_rho": rho(1 / 4)}),
    ("--delay 100ms --jitter 20ms --distribution normal", {"delay_table": lambda t: len(t) == 4096 and t == tuple(sorted(t))}),
    ("--delay 100ms --jitter 20ms --distribution pareto", {"delay_table": lambda t: max(t) == 32767}),
    ("--delay 100ms --jitter 20ms --distribution paretonormal", {"delay_table": lambda t: len(t) == 4096}),
    ("--delay 100ms --jitter 20ms --distribution ./mine.dist", {"delay_table": lambda t: set(t) == {-8192, 0, 8192}}),
    ("--delay 100ms --jitter 20ms --keep-order", {"keep_order": True}),
    ("--loss 3%", {"loss_model": LossModel.RANDOM, "loss_p": p(0.03)}),
    ("--loss 3% --loss-correlation 50%", {"loss_rho": rho(1 / 2)}),
    ("--loss-model gemodel:p=1%,r=10%", {"loss_model": LossModel.GILBERT_ELLIOTT}),
    ("--loss-model state:p13=1%,p31=50%", {"loss_model": LossModel.STATE}),
    ("--loss-model burst:mean=4,share=2%", {"loss_model": LossModel.GILBERT_ELLIOTT}),
    ("--loss-model every:10", {"loss_model": LossModel.NTH, "nth_period": 10}),
    ("--loss-model list:3,7,9", {"loss_model": LossModel.LIST, "losses": (3, 7, 9)}),
    ("--duplicate 1% --duplicate-correlation 50%", {"duplicate_p": p(0.01), "duplicate_rho": rho(1 / 2)}),
    ("--corrupt 1% --corrupt-correlation 50%", {"corrupt_p": p(0.01), "corrupt_rho": rho(1 / 2)}),
    ("--delay 10ms --reorder 25% --reorder-correlation 50%", {"reorder_p": p(0.25), "reorder_rho": rho(1 / 2), "gap": 1}),
    ("--delay 10ms --reorder 100% --gap 5", {"reorder_p": ONE, "gap": 5}),
    ("--delay 10ms --gap 5", {"reorder_p": ONE, "gap": 5}),
    ("--rate 2mbit", {"rate_bps": 2_000_000, "overhead": 0, "limit_bytes": lambda size: size >= 2_000_000 // 8}),
    ("--rate 2mbit --overhead 14", {"overhead": 14}),
    ("--rate 2mbit --overhead -14", {"overhead": -14}),
    ("--rate 2mbit --limit 1000", {"limit_packets": 1000, "limit_bytes": 0}),
    ("--rate 2mbit --limit 64kb", {"limit_packets": 0, "limit_bytes": 64_000}),
    ("--rate 2mbit --queue droptail", {"policy": QueuePolicy.DROPTAIL}),
    ("--rate 2mbit --queue codel", {"policy": QueuePolicy.CODEL}),
    ("--rate 2mbit --queue ecn", {"policy": QueuePolicy.CODEL_ECN}),
    ("--slot 10ms", {"slot_min_ns": 10 * MS, "slot_max_ns": 10 * MS}),
    ("--slot min=10ms,max=20ms,packets=32,bytes=64kb", {"slot_max_ns": 20 * MS, "slot_packets": 32, "slot_bytes": 64_000}),
    ("--loss 3% --ecn", {"loss_ecn": True}),
    ("--block drop", {}),
    ("--block reject", {}),
    ("--mtu 1300", {"mtu": 1300}),
    ("--trace ./train.trace", {"trace": lambda trace: len(trace) == 24 + 2 * 8}),
    ("--loss 3% --seed 7", {"seed": 7}),
    ("--loss 3%", {"seed": None}),
)
MATCHES: tuple[Row, ...] = (
    # what is written                                       the match that is then shown
    ("--to 192.0.2.2", {"to": ["192.0.2.2"]}),
    ("--to 192.0.2.2 --to 2001:db8::/32", {"to": ["192.0.2.2", "2001:db8::/32"]}),
    ("--port 5432", {"ports": [5432]}),
    ("--port 80,6000-6010 --protocol tcp", {"ports": [80, "6000-6010"], "protocol": "tcp"}),
    ("--protocol icmp", {"protocol": "icmp"}),
    ("--protocol 47", {"protocol": 47}),
    ("--direction egress", {"direction": "egress"}),
    ("--direction ingress", {"direction": "ingress"}),
    ("--direction both", {"direction": "both"}),
    ("--family ipv6", {"family": "ipv6"}),
    ("--connection 192.0.2.1:40000-192.0.2.2:80", {"connection": "192.0.2.1:40000-192.0.2.2:80"}),
    ("--share 10%", {"share": "10%"}),
    ("--tcp-flags syn+!ack", {"tcpFlags": "syn+!ack"}),
    ("--interface eth0", {"interfaces": ["eth0"]}),
    ("--vlan 100", {"vlan": 100}),
    ("--priority -5", {"priority": -5}),
)
COMMON: tuple[Row, ...] = (
    # what is written                                       what is then shown of the whole
    ("--exclude 192.0.2.9 --exclude port=22,protocol=tcp", {"exclude": lambda found: len(found) == 2}),
    ("--name slow-database", {"name": "slow-database"}),
    ("--for 5m", {"lease": "5m"}),
    ("--for forever", {"lease": "forever"}),
    ("--engine pump", {"engine": "pump"}),
    ("--engine auto", {"engine": "auto"}),
    ("--reason 'checkout must survive'", {"reason": "checkout must survive"}),
)
REFUSED = (
    # what is written                                       the error's code, and a word of its reason or remedy
    ("--delay 100", "bad-duration", "100ms"),
    ("--delay -1ms", "bad-duration", ""),
    ("--jitter 20ms", "missing-flag", "--delay"),
    ("--delay 1ms --delay-correlation 25%", "missing-flag", "--jitter"),
    ("--delay 1ms --jitter 1ms --distribution nrmal", "unknown-distribution", "normal"),
    ("--delay 1ms --jitter 1ms --distribution ./nowhere.dist", "unreadable-file", "path"),
    ("--keep-order --loss 1%", "missing-flag", "--delay"),
    ("--delay 1ms --rtt 2ms", "conflicting-flags", "same"),
    ("--rtt 2ms --direction egress", "conflicting-fields", "direction"),
    ("--loss 3", "bad-percent", "3%"),
    ("--loss 101%", "bad-percent", ""),
    ("--loss 1% --loss-model every:10", "conflicting-flags", "same"),
    ("--loss-model gemodel", "bad-short-form", "gemodel:"),
    ("--loss-model gilbert:p=1%", "unknown-loss-model", "gemodel"),
    ("--loss-correlation 25%", "missing-flag", "--loss"),
    ("--delay 1ms --keep-order --reorder 5%", "conflicting-fields", "keepOrder"),
    ("--reorder 5%", "missing-key", "delay"),
    ("--delay 1ms --gap 0", "out-of-range", "1 to"),
    ("--rate 10mbps", "bad-rate", "bytes"),
    ("--overhead 14", "missing-flag", "--rate"),
    ("--queue codel", "missing-key", "rate"),
    ("--ecn", "missing-key", "loss"),
    ("--rate 1mbit --limit lots", "bad-packets", ""),
    ("--slot min=20ms,max=10ms", "conflicting-fields", "minimum"),
    ("--block drop --delay 1ms", "conflicting-fields", "nothing arrives"),
    ("--block slowly", "unknown-value", "drop"),
    ("--mtu 20", "out-of-range", "68"),
    ("--trace ./nowhere.trace", "unreadable-file", "path"),
    ("--trace ./train.trace --rate 1mbit", "conflicting-fields", "trace"),
    ("--trace ./own.yaml", "bad-trace", "milliseconds"),
    ("--seed -1 --loss 1%", "out-of-range", "0 to"),
    ("--profile 3gg", "unknown-profile", "3g"),
    ("--delay 1ms --to 192.0.2.1/24", "bad-peer", "192.0.2.0/24"),
    ("--delay 1ms --port 70000", "bad-port", ""),
    ("--delay 1ms --port 80 --protocol icmp", "conflicting-fields", "no ports"),
    ("--delay 1ms --tcp-flags syn --protocol udp", "conflicting-fields", "TCP"),
    ("--delay 1ms --tcp-flags sin", "bad-tcp-flags", "syn"),
    ("--delay 1ms --connection 192.0.2.1:1-192.0.2.2:2 --to 192.0.2.2", "conflicting-fields", "connection"),
    ("--delay 1ms --family ipv6 --to 192.0.2.2", "conflicting-fields", "nothing would match"),
    ("--delay 1ms --interface eth7", "no-interface", "eth0"),
    ("--delay 1ms --interface lo", "bad-interface", "loopback"),
    ("--delay 1ms --vlan 4095", "out-of-range", "4094"),
    ("--delay 1ms --share 101%", "bad-percent", ""),
    ("--delay 1ms --for 0s", "bad-lease", "immediately"),
    ("--delay 1ms --name Slow", "bad-name", "small letters"),
    ("--delay 1ms --exclude prot=22", "unknown-key", "port"),
    ("--loss 1% --engine tc", "unknown-value", "netem"),
    ("--trace ./train.trace --engine netem", "engine-cannot", "netem"),
    ("--loss 1% --lossy", "unknown-option", "--loss"),
    ("--name x", "no-condition", "--delay"),
)


@dataclass
class Place:
    """A target, and the command line in this process."""

    target: Target
    engine: Engine
    capsys: pytest.CaptureFixture[str]

    def netweather(self, *words: str) -> tuple[int, Any]:
        self.capsys.readouterr()
        code = main([*words, "--json"])
        return code, json.loads(self.capsys.readouterr().out)

    def set(self, flags: str, *more: str) -> tuple[int, Any]:
        return self.netweather("set", self.target.reference, *shlex.split(flags), *more)

    def shown(self) -> Any:
        _, (shown,) = self.netweather("show", self.target.reference)
        return shown

    def held(self) -> list[LineParams]:
        """What each line holds, once the pump has taken it."""
        entry = self.engine.journal.read(self.target.identity)
        assert entry
        held = []
        with ParamsFile(self.engine.journal.directory(self.target.identity) / "params") as file:
            for line in entries.datapath(entry)[0].lines:
                block = file.parameters(line.index)
                until(lambda index=line.index, block=block: taken(file, index) == block[:8], 20, "the pump has taken it")
                assert LineStats.unpack(file.statistics(line.index)).config_error is ConfigError.OK
                held.append(LineParams.unpack(block, dict(line.tables)))
        return held


def taken(file: ParamsFile, line: int) -> bytes:
    return LineStats.unpack(file.statistics(line)).applied_generation.to_bytes(8, "little")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, Engine, Path]]:
    folder = tmp_path_factory.mktemp("flags")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    engine = Engine(Settings(state=folder / "state"))
    with lab() as net, resolve(f"netns:{net.client.name}")[0] as found:
        yield found, engine, folder
        engine.clear(found)


@pytest.fixture
def place(target: tuple[Target, Engine, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    monkeypatch.setenv("NETWEATHER_STATE", str(target[2] / "state"))
    monkeypatch.setenv("NETWEATHER_PROFILES", str(target[2] / "own.yaml"))
    monkeypatch.chdir(target[2])
    return Place(target[0], target[1], capsys)


def test_every_flag_is_here() -> None:
    written = " ".join(flags for flags, _ in (*CONDITIONS, *MATCHES, *COMMON))
    assert {flag.name for flag in FLAGS} == {word[2:] for word in written.split() if word.startswith("--")}


def test_every_flag_of_the_design_is_known() -> None:
    design = """profile delay rtt jitter delay-correlation distribution keep-order loss loss-correlation loss-model duplicate corrupt
    reorder gap rate overhead limit slot ecn block mtu trace seed to port protocol connection share exclude interface direction for
    name engine"""
    assert set(design.split()) <= {flag.name for flag in FLAGS}


@pytest.mark.parametrize(("flags", "expected"), CONDITIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_condition_is_in_force_as_it_was_asked(place: Place, flags: str, expected: dict[str, Any]) -> None:
    engine = () if "block" in flags else ("--engine", "pump")
    code, planned = place.set(flags, *engine, "--dry-run")
    assert code == 0, planned
    code, done = place.set(flags, *engine)
    assert code == 0, done
    shown = place.shown()
    assert shown["status"]["inForce"]
    assert shown["spec"] == done["spec"]
    says_the_same_in_flags_again(shown)
    assert shown["status"]["engine"] == ("classifier" if "block" in flags else "pump")
    for params in place.held():
        for name, value in expected.items():
            seen = getattr(params, name)
            if name == "seed" and value is not None:  # the other direction has another, made of it
                assert seen is not None
            else:
                assert value(seen) if callable(value) else seen == value, (name, seen)
    assert bool(expected) == bool(place.held())


def says_the_same_in_flags_again(shown: Any) -> None:
    """From flags into the kernel and the journal, to JSON, and to flags again."""
    condition = load(shown)
    if len(condition.rules) == 1:  # a user's own profile has become two
        again = network_condition_from_flags(network_condition_to_flags(condition), condition.targets, condition.owner)
        assert again == condition


@pytest.mark.parametrize(("flags", "expected"), MATCHES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_match_is_in_force_as_it_was_asked(place: Place, flags: str, expected: dict[str, Any]) -> None:
    for more in (["--dry-run"], []):
        code, done = place.set(f"--delay 5ms {flags}", *more)
        assert code == 0, done
    shown = place.shown()
    assert shown["status"]["inForce"]
    says_the_same_in_flags_again(shown)
    (rule,) = shown["spec"]["rules"]
    assert {name: rule[name] for name in expected} == expected


@pytest.mark.parametrize(("flags", "expected"), COMMON, ids=lambda value: value if isinstance(value, str) else "")
def test_the_rest_is_in_force_as_it_was_asked(place: Place, flags: str, expected: dict[str, Any]) -> None:
    place.engine.clear(place.target)
    code, done = place.set(f"--delay 5ms {flags}")
    assert code == 0, done
    shown = place.shown()
    assert shown["status"]["inForce"]
    whole = {**shown["spec"], **shown["metadata"]}
    for name, value in expected.items():
        found = whole.get(name, "auto")  # what is as it is by itself is not written
        assert value(found) if callable(value) else found == value, (name, found)


@pytest.mark.parametrize(("flags", "code", "word"), REFUSED, ids=lambda value: value)
def test_what_makes_no_sense_is_refused_with_a_reason(place: Place, flags: str, code: str, word: str) -> None:
    place.engine.clear(place.target)
    exit_code, problem = place.set(flags)
    assert problem["code"] == code, problem
    assert exit_code == (2 if code not in ("no-interface", "engine-cannot") else 1)
    assert problem["detail"] or problem["remedy"]
    assert word in " ".join(problem.values())
    assert place.engine.show(place.target) == []
