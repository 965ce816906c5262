"""The command line on real namespaces, as a user runs it: a process of its own, with a state directory of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.machine import SLOW
from tests.support.netns import Lab, Namespace, lab
from tests.support.rig import at_last

PROGRAM = [sys.executable, "-c", "import sys; from netweather.cli import main; sys.exit(main())"]
Netweather = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def net() -> Iterator[Lab]:
    with lab() as made:
        yield made


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NETWEATHER_")}
    return {**kept, "NETWEATHER_STATE": str(tmp_path / "state"), "COLUMNS": "80"}


@pytest.fixture
def netweather(environment: dict[str, str]) -> Iterator[Netweather]:
    """`netweather("set", …)`; everything is cleared at the end."""

    def call(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([*PROGRAM, *words], env=environment, capture_output=True, text=True, timeout=30 * SLOW, check=False)
        assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    yield call
    call("clear", "--all")
    assert not list(Path(environment["NETWEATHER_STATE"]).glob("*/*"))


def name(namespace: Namespace) -> str:
    return f"netns:{namespace.name}"


def ping(net: Lab, count: int = 3) -> tuple[int, float]:
    """(packets that came back, the least round trip in ms)."""
    text = net.client.run("ping", "-n", "-c", str(count), "-i", "0.05", "-W", "1", str(net.server.v4), check=False).stdout
    least = re.search(r"= ([0-9.]+)/", text)
    received = re.search(r"(\d+) received", text)
    assert received
    return int(received[1]), float(least[1]) if least else 0.0


def test_set_show_clear(net: Lab, netweather: Netweather) -> None:
    said = netweather("set", name(net.client), "--rtt", "60ms", "--for", "1m").stdout
    assert "adds 60 ms to each round trip: 30 ms out, 30 ms back" in said
    received, least = ping(net)
    assert received == 3
    assert least >= 60
    at_last(lambda: ping(net)[1], 60, 80)
    (shown,) = json.loads(netweather("show", "--json").stdout)
    assert shown["status"]["inForce"]
    assert shown["status"]["unwantedDrops"] == 0
    assert shown["status"]["rules"][0]["counters"]["packets"] >= 6
    assert netweather("clear", name(net.client)).stdout == f"cleared 'default' on {name(net.client)}\n"
    at_last(lambda: ping(net)[1], 0, 30)
    assert netweather("show").stdout == "no conditions are in force\n"


def test_what_is_blocked_is_counted_and_the_rest_is_left_alone(net: Lab, netweather: Netweather) -> None:
    netweather("set", name(net.client), "--block", "drop", "--protocol", "icmp", "--family", "ipv4", "--for", "1m")
    assert ping(net, 2)[0] == 0
    assert net.client.run("ping", "-c1", "-W1", str(net.server.v6)).returncode == 0
    counters = json.loads(netweather("show", name(net.client), "--json").stdout)[0]["status"]["rules"][0]["counters"]
    assert counters["dropped"] == counters["packets"] == 2


def test_several_targets_or_none(net: Lab, netweather: Netweather) -> None:
    netweather("set", name(net.client), name(net.server), "--loss", "1%", "--for", "1m")
    assert len(json.loads(netweather("show", "--json").stdout)) == 2
    wrong = netweather("set", name(net.client), "netns:nwt-nonexistent", "--loss", "2%", "--name", "other", code=1)
    assert "[unknown-target]" in wrong.stderr
    names = {each["metadata"]["name"] for each in json.loads(netweather("show", "--json").stdout)}
    assert names == {"default"}


def test_wait_keeps_it_in_force_until_it_is_told_to_end(net: Lab, netweather: Netweather, environment: dict[str, str]) -> None:
    command = [*PROGRAM, "set", name(net.client), "--block", "drop", "--wait", "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert "waiting" in process.stderr.readline()
        assert ping(net, 1)[0] == 0
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10 * SLOW)
    assert process.returncode == 0
    assert json.loads(out)["status"]["inForce"]
    assert "cleared" in err
    assert ping(net, 1)[0] == 1


def test_watching_ends_with_ctrl_c(net: Lab, netweather: Netweather, environment: dict[str, str]) -> None:
    netweather("set", name(net.client), "--loss", "1%", "--for", "1m")
    command = [*PROGRAM, "show", "--watch", "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        first: list[Any] = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10 * SLOW)
    assert first[0]["status"]["inForce"]
    assert (process.returncode, err) == (0, "")


def test_a_dry_run_touches_nothing(net: Lab, netweather: Netweather) -> None:
    before = net.client.run("ip", "-o", "link").stdout
    assert "plan for" in netweather("set", name(net.client), "--delay", "1s", "--dry-run").stdout
    assert net.client.run("ip", "-o", "link").stdout == before
    assert netweather("show").stdout == "no conditions are in force\n"


def test_a_target_without_an_interface(netweather: Netweather) -> None:
    with lab() as net:
        net.client.run("ip", "link", "del", "eth0")
        assert "[no-interfaces]" in netweather("set", name(net.client), "--delay", "1s", code=1).stderr


def test_a_target_that_is_gone(netweather: Netweather, environment: dict[str, str]) -> None:
    with lab() as net:
        gone = name(net.client)
        netweather("set", gone, "--loss", "1%", "--for", "1m")
    state, until = Path(environment["NETWEATHER_STATE"]), time.monotonic() + 10
    while list(state.glob("targets/*")):
        assert time.monotonic() < until, "the keeper does not see that its target is gone"
        time.sleep(0.05)
    assert netweather("show").stdout == "no conditions are in force\n"
    assert "[unknown-target]" in netweather("set", gone, "--loss", "1%", code=1).stderr


def test_targets_and_doctor(net: Lab, netweather: Netweather) -> None:
    listed = {each["reference"]: each for each in json.loads(netweather("targets", "--json").stdout)}
    assert listed[name(net.client)]["interfaces"] == ["eth0"]
    assert json.loads(netweather("doctor", "--json").stdout)["works"] is True


def test_without_root(net: Lab, environment: dict[str, str]) -> None:
    command = [
        "setpriv",
        "--reuid",
        "65534",
        "--clear-groups",
        "--inh-caps=-all",
        *PROGRAM,
        "set",
        name(net.client),
        "--loss",
        "1%",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip("this Python can be run by root only")
    assert done.returncode == 1
    assert "[needs-root]\n" in done.stderr


@pytest.mark.serial
def test_verify_says_what_holds_what_was_broken_and_what_it_cannot_tell(net: Lab, netweather: Netweather) -> None:
    """Exit 0, 3 and 1."""
    target, peer = name(net.client), name(net.server)
    netweather("set", target, "--to", peer, "--delay", "30ms", "--for", "2m")
    proved = json.loads(netweather("verify", target, "--json").stdout)
    assert proved["verdict"] == "PASS"
    assert {line["engine"] for line in proved["kernel"]["lines"]} <= {"pump", "netem"}
    assert all(line["requested"] == line["held"] for line in proved["kernel"]["lines"])
    assert "CAN'T TELL" in netweather("verify", target, "--to", "192.0.2.99", code=3).stdout
    net.client.run("ip", "link", "set", "nw0", "down")
    assert "problem: the device nw0 is down" in netweather("verify", target, code=1).stdout
    (shown,) = json.loads(netweather("show", "--json").stdout)
    assert (shown["status"]["inForce"], shown["status"]["problems"]) == (False, ["the device nw0 is down"])


@pytest.mark.serial
def test_set_verify_undoes_what_does_not_hold(net: Lab, netweather: Netweather) -> None:
    """Somebody else's queue at the peer delays what comes from there: what was asked for is not what is seen."""
    target, peer = name(net.client), name(net.server)
    netweather("set", target, "--to", peer, "--delay", "5ms", "--for", "2m")
    net.server.run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "500kbit", "burst", "2kb", "latency", "300ms")
    wrong = netweather("set", target, "--to", peer, "--delay", "30ms", "--for", "2m", "--verify", code=1)
    assert "[not-proved]" in wrong.stderr
    assert "delay ingress" in wrong.stderr
    (shown,) = json.loads(netweather("show", "--json").stdout)
    assert shown["spec"]["rules"][0]["condition"]["delay"]["time"] == "5ms"
    net.server.run("tc", "qdisc", "del", "dev", "eth0", "root")
    netweather("set", target, "--to", peer, "--delay", "30ms", "--for", "2m", "--verify")
