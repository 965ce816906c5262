"""Peers by host name: the target's own resolver, inside its namespace, with its TTLs; and what changes is put in force."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import pytest

from netweather.engine import peer_update
from netweather.engine.verification import VerifyOptions, verify
from netweather.errors import NetweatherError
from netweather.targets import Target, resolve, resolve_peers
from netweather.targets.peers import Peers
from tests.support import dns, netns
from tests.support.machine import SLOW
from tests.support.rig import Rig, at_last, delay, rule, until

MS = 0.001


@dataclass
class Site:
    """A lab whose server answers names, and a process in its client that has a resolver's configuration of its own."""

    net: netns.Lab
    names: dns.NameServer
    reference: str

    def ping(self, there: str) -> float:
        report = self.net.client.run("ping", "-c", "3", "-i", "0.05", "-W", "1", there).stdout
        return min(float(line.split("time=")[1].split()[0]) * MS for line in report.splitlines() if "time=" in line)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with netns.lab() as net, dns.serving(net.server) as names:
        (tmp_path / "hosts").write_text("192.0.2.77 written\n2001:db8::77 written\n")
        (tmp_path / "resolv.conf").write_text(f"nameserver {net.server.v4}\nsearch example.org\noptions ndots:2\n")
        binds = " && ".join(f"mount --bind {tmp_path}/{file} /etc/{file}" for file in ("hosts", "resolv.conf"))
        process = net.client.start("unshare", "--mount", "sh", "-c", f"{binds} && echo ready && exec sleep 600")
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        try:
            yield Site(net, names, f"pid:{process.pid}")
        finally:
            net.client.stop()


@contextmanager
def opened(site: Site) -> Iterator[Target]:
    (target,) = resolve(site.reference)
    with target:
        yield target


def texts(word: str, target: Target) -> list[str]:
    return [str(peer.prefix.network_address) for peer in resolve_peers(word, target)]


def test_names_are_looked_up_as_the_target_would(site: Site) -> None:
    site.names.records = {"db.example.org": ["192.0.2.40", "192.0.2.41", "2001:db8::40"], "empty.example.org": []}
    with opened(site) as target:
        assert texts("db.example.org", target) == ["192.0.2.40", "192.0.2.41", "2001:db8::40"]
        assert texts("db", target) == ["192.0.2.40", "192.0.2.41", "2001:db8::40"]  # by its search list
        assert texts("written", target) == ["192.0.2.77", "2001:db8::77"]
        for name, why in (("nobody.example.org", "does not exist"), ("empty.example.org", "neither A nor AAAA")):
            with pytest.raises(NetweatherError) as caught:
                resolve_peers(name, target)
            assert (caught.value.code, why in caught.value.why) == ("unresolvable-peer", True)
        with pytest.raises(NetweatherError):
            resolve_peers("db.example.org")  # this machine knows no such name


def test_a_set_is_current_when_its_ttl_is_over(site: Site) -> None:
    site.names.records = {"db.example.org": ["192.0.2.40"]}
    problems: list[str] = []
    before = len(os.listdir("/proc/self/fd"))
    words = ["db.example.org", "198.51.100.0/24"]
    with opened(site) as target, Peers(words, target, lambda word, problem: problems.append(problem.code)) as sets:
        always = (ip_network("198.51.100.0/24"),)
        assert next(sets) == {"db.example.org": (ip_network("192.0.2.40/32"),), "198.51.100.0/24": always}
        site.names.records = {"db.example.org": ["192.0.2.41", "2001:db8::41"]}
        begin = time.monotonic()
        changed = (ip_network("192.0.2.41/32"), ip_network("2001:db8::41/128"))
        assert next(sets) == {"db.example.org": changed, "198.51.100.0/24": always}
        assert time.monotonic() - begin < 10 * SLOW  # without a TTL it is asked for again after half a minute
        asked = site.names.asked
        site.names.records = {}  # a name that is gone keeps what it had: servers fail, and a rule must not
        closing = threading.Timer(2.5, sets.close)
        closing.start()
        assert list(sets) == []
        closing.join()
        assert site.names.asked > asked
    assert problems == ["unresolvable-peer"]
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_peer_that_moves_takes_its_condition_along(site: Site, tmp_path: Path) -> None:
    netns.ip("-n", site.net.server.name, "addr", "add", "192.0.2.99/24", "dev", "eth0")
    there = str(site.net.server.v4)
    site.names.records = {"db.example.org": [there]}
    rig = Rig(site.net, tmp_path / "state", reference=site.reference)
    try:
        rig.set(rule(delay(50), to=("db",), direction="egress"), lease=60)
        assert rig.shown().peers == {"db": (f"{there}/32",)}
        until(lambda: site.ping(there) >= 50 * MS, 20, "it is delayed")
        assert peer_update.words(rig.engine, rig.target) == ("db",)
        with Peers(peer_update.words(rig.engine, rig.target), rig.target) as sets:
            assert not peer_update.repeer(rig.engine, rig.target, next(sets))  # nothing new
            site.names.records = {"db.example.org": ["192.0.2.99"]}
            left = rig.shown().remaining_ns
            assert peer_update.repeer(rig.engine, rig.target, next(sets))
        shown = rig.shown()
        assert (shown.peers, shown.in_force) == ({"db": ("192.0.2.99/32",)}, True)
        assert shown.remaining_ns is not None
        assert left is not None
        assert shown.remaining_ns < left
        assert shown.rules[0].packets >= 3  # the counters go on
        until(lambda: site.ping("192.0.2.99") >= 50 * MS, 20, "the new address is delayed")
        at_last(lambda: site.ping(there), 0, 25 * MS)
        assert peer_update.repeer(rig.engine, rig.target, {"db": ()})
        at_last(lambda: site.ping("192.0.2.99"), 0, 25 * MS)  # no addresses match nothing, and not everything
    finally:
        rig.close()
    assert rig.remains() == []
    assert not peer_update.repeer(rig.engine, rig.target, {"db": ()})


@pytest.mark.parametrize("given", [{}, {"to": "db"}, {"to": "db.example.org"}, {"peer": "there", "to": "db"}], ids=str)
def test_verify_asks_the_targets_own_servers(site: Site, tmp_path: Path, given: dict[str, str]) -> None:
    """By the match's own word, by --to, and where --to chooses an address of --peer."""
    there = str(site.net.server.v4)
    site.names.records = {"db.example.org": [there]}
    wish = {**given, "peer": f"netns:{site.net.server.name}"} if "peer" in given else given
    rig = Rig(site.net, tmp_path / "state", reference=site.reference)
    try:
        rig.set(rule(delay(50), to=("db",), direction="egress"), lease=60)
        (found,) = verify(rig.engine, rig.target, VerifyOptions(seconds=1, samples=10, **wish))
    finally:
        rig.close()
    figures = {figure.name: figure for figure in found.measured[0].figures}
    assert figures["RTT"].seen is not None, figures
    assert figures["RTT"].seen >= 50 * MS


def test_servers_that_do_not_answer_are_told(site: Site) -> None:
    site.names.silent = True
    with opened(site) as target, pytest.MonkeyPatch.context() as patch:
        patch.setattr("netweather.targets._names._PATIENCE", 0.3)
        with pytest.raises(NetweatherError) as caught:
            resolve_peers("db.example.org", target)
    assert "do not answer" in caught.value.why
    until(lambda: site.names.asked, 20, "they were asked")
