"""The verbs by reference; the rest of them is tested where the command line prints it, and where the agent answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from netweather import targets
from netweather.conditions import Match, NetworkCondition, load, profiles, validation
from netweather.engine import SocketFilter, engine_choice, verification
from netweather.errors import NetweatherError, UsageError
from netweather.service import Caller, LocalService, callers
from tests.support.live import Live, made
from tests.support.world import World
from tests.unit.engine.test_core import calls
from tests.unit.service.conftest import may, slow


def test_set_show_clear(service: LocalService) -> None:
    service.set([slow("netns:a", "netns:b")])
    assert [each.target.reference for each in service.show()] == ["netns:a", "netns:b"]
    assert len(service.show(["netns:b"])) == 1
    assert [(each.target, each.names) for each in service.clear(["netns:a"])] == [("netns:a", ("default",))]
    assert [each.names for each in service.clear()] == [("default",)]
    assert service.show() == []


def test_what_cannot_be_cleared_is_in_its_answer(service: LocalService) -> None:
    gone, none = service.clear(["netns:nowhere", "netns:a"], "none")
    assert getattr(gone.problem, "code", "") == "unknown-target"
    assert getattr(none.problem, "code", "") == "no-such-condition"


def test_the_host_is_confirmed(service: LocalService) -> None:
    with pytest.raises(UsageError) as wrong:
        service.set([slow("host")])
    assert wrong.value.code == "host-not-confirmed"
    assert service.set([slow("host")], dry_run=True)
    assert service.set([slow("host")], host=True)


def test_clearing_ends_all_that_setting_began(service: LocalService, world: World) -> None:
    """What was netns:a has no name any more, and another namespace has that name."""
    folder = world.folder
    service.set([slow("netns:a", "netns:b")])
    (folder / "a").rename(folder / "old")
    (folder / "a").touch()
    cleared = service.clear(["netns:a"])
    assert [(each.target, each.names) for each in cleared] == [("netns:a", ()), ("netns:a", ("default",))]
    assert [each.target.reference for each in service.show()] == ["netns:b"], "what another word of the same command began stays"


def test_clearing_by_name_ends_it_where_the_name_was(service: LocalService, world: World) -> None:
    folder = world.folder
    service.set([slow("netns:a")])
    (folder / "a").rename(folder / "old")
    assert [each.names for each in service.clear(["netns:a"], "default")] == [("default",)]
    (folder / "a").touch()
    with pytest.raises(NetweatherError) as wrong:
        service.clear(["netns:a"], "default")
    assert wrong.value.code == "no-such-condition"


def test_an_id_is_completed_from_what_was_set(service: LocalService, monkeypatch: pytest.MonkeyPatch) -> None:
    """The container is gone, and its engine doesn't know it any more."""
    monkeypatch.setattr(targets, "complete", lambda text, own: text)
    service.set([slow("netns:a")])
    (identity,) = service.engine.journal.identities()
    entry = service.engine.journal.read(identity)
    assert entry is not None
    entry.conditions = [replace(each, reference="docker:" + "ab" * 32) for each in entry.conditions]
    service.engine.journal.write(entry)
    assert service.complete("docker:" + "ab" * 6) == "docker:" + "ab" * 32
    assert service.complete("docker:" + "ab" * 5) == "docker:" + "ab" * 5
    assert service.complete("docker:abc-db") == "docker:abc-db"


def test_a_service_that_is_gone_has_the_project_for_which_it_was_set(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "complete", lambda text, own: text)
    service.set([slow("netns:a"), slow("netns:b")])
    references = iter(["compose:shop/web", "compose:shop/db-web"])
    for identity in service.engine.journal.identities():
        entry = service.engine.journal.read(identity)
        assert entry is not None
        entry.conditions = [replace(each, reference=next(references)) for each in entry.conditions]
        service.engine.journal.write(entry)
    assert service.complete("compose:web") == "compose:shop/web"
    assert service.complete("compose:eb") == "compose:eb"


def test_a_target_without_such_a_connection_is_no_failure_beside_one_with_some(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    Live(monkeypatch, made())
    both, tcp = ["netns:a", "netns:b"], SocketFilter(Match(protocol="tcp"))
    assert [each.target.reference for each in service.reset_on(both, tcp)] == ["netns:a"]
    with pytest.raises(NetweatherError) as wrong:
        service.reset_on(both, tcp)
    assert wrong.value.code == "no-such-connection"


# What a caller may do ---------------------------------------------------------------------------------------------------


def test_a_target_needs_a_scope(service: LocalService, world: World) -> None:
    ci = replace(service, caller=may("read", "set:netns:a*"))
    ci.set([slow("netns:a")])
    for refused in (
        lambda: ci.set([slow("netns:b")]),
        lambda: ci.clear(["netns:b"]),
        lambda: ci.verify("netns:b"),
        lambda: ci.reset("netns:b", SocketFilter(Match(protocol="tcp"))),
    ):
        with pytest.raises(NetweatherError) as wrong:
            refused()
        assert wrong.value.code == "not-allowed"
    assert not world.kernel("b").in_force


def test_who_may_only_set_sees_nothing(service: LocalService) -> None:
    blind = replace(service, caller=may("set"))
    for refused in (blind.show, lambda: blind.connections("netns:a"), lambda: blind.stats("netns:a")):
        with pytest.raises(NetweatherError) as wrong:
            refused()
        assert wrong.value.code == "not-allowed"


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [(("read", "set:netns:a"), True), (("set",), True), (("set:netns:a", "set:netns:b"), True), (("set:netns:a",), False)],
)
def test_the_peer_of_a_rule_needs_a_scope(
    service: LocalService, monkeypatch: pytest.MonkeyPatch, scopes: tuple[str, ...], allowed: bool
) -> None:
    """Its namespace is entered to read its addresses."""
    monkeypatch.setattr("netweather.engine.entries.resolved", lambda *_: {"netns:b": ()})
    ci = replace(service, caller=may(*scopes))
    if allowed:
        assert ci.set([slow("netns:a", to="netns:b")], dry_run=True)
        return
    with pytest.raises(NetweatherError) as wrong:
        ci.set([slow("netns:a", to="netns:b")], dry_run=True)
    assert wrong.value.code == "not-allowed"


PATH = "netns:/run/netns/a"
OF_PATH = SocketFilter(Match(to=(PATH,)))


@pytest.mark.parametrize(
    "verb",
    [
        lambda ci: ci.set([slow(PATH)]),
        lambda ci: ci.show([PATH]),
        lambda ci: ci.clear([PATH]),
        lambda ci: ci.verify(PATH),
        lambda ci: ci.verify("netns:a", verification.VerifyOptions(peer=PATH)),
        lambda ci: ci.connections(PATH),
        lambda ci: ci.connections("netns:a", OF_PATH),
        lambda ci: ci.reset(PATH, SocketFilter()),
        lambda ci: ci.reset("netns:a", OF_PATH),
        lambda ci: ci.stats(PATH),
    ],
)
def test_no_verb_opens_a_path_for_its_caller(service: LocalService, verb: Callable[[LocalService], object]) -> None:
    with pytest.raises(NetweatherError) as wrong:
        verb(replace(service, caller=may("read", "set")))
    assert wrong.value.code == "path-refused"


@pytest.mark.parametrize(("name", "peer"), [("b", ""), ("a", "netns:b")])
def test_what_starts_later_needs_the_scopes_of_then(service: LocalService, world: World, name: str, peer: str) -> None:
    ci = replace(service, caller=may("set:netns:a"))
    (target,) = world.resolve([f"netns:{name}"])
    with target, pytest.raises(NetweatherError) as wrong:
        ci.set_later(target, slow(target.reference, to=peer))
    assert (wrong.value.code, world.kernel(name).in_force) == ("not-allowed", False)


def test_verify_enters_only_what_the_caller_may_change(
    service: LocalService, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[verification.VerifyOptions] = []
    monkeypatch.setattr(verification, "verify", lambda engine, target, wish, progress: asked.append(wish) or [])
    ci = replace(service, caller=may("read", "set:netns:a"))
    with pytest.raises(NetweatherError) as wrong:
        ci.verify("netns:a", verification.VerifyOptions(peer="netns:b"))
    assert wrong.value.code == "not-allowed"
    ci.verify("netns:a")
    (own,), (other,) = world.resolve(["netns:a"]), world.resolve(["netns:b"])
    with own, other:
        assert asked[0].may_enter([own])
        assert not asked[0].may_enter([own, other])


@pytest.mark.parametrize("caller", [callers.DIRECT, may("read", "set"), may("set:netns:a")], ids=["direct", "agent", "scoped"])
def test_a_set_validates_expands_and_chooses_once(service: LocalService, monkeypatch: pytest.MonkeyPatch, caller: Caller) -> None:
    checked, found = calls(monkeypatch, validation, "check_types"), calls(monkeypatch, profiles, "find_profile")
    chosen = calls(monkeypatch, engine_choice, "choose")
    wanted = load({"targets": ["netns:a"], "engine": "pump", "rules": [{"condition": {"profile": "3g"}}]})
    checked.clear()
    replace(service, caller=caller).set([wanted])
    assert [each.targets for each in checked if isinstance(each, NetworkCondition)] == [("netns:a",)]
    assert (found, len(chosen), len(set(chosen))) == (["3g"], 2, 2)  # what is sent, and what is received


@pytest.mark.parametrize("scopes", [("read", "set:netns:b"), ("set:netns:a",)], ids=["target", "peer"])
def test_who_may_not_enter_a_side_of_a_partition_makes_none(service: LocalService, scopes: tuple[str, ...]) -> None:
    template = NetworkCondition("split")
    with pytest.raises(NetweatherError) as refused:
        replace(service, caller=may(*scopes)).partition([["netns:a"], ["netns:b"]], template)
    assert refused.value.code == "not-allowed"
    assert service.show() == []


def test_a_partition_is_set_on_the_earlier_side_one_way_or_only_planned(service: LocalService) -> None:
    template = NetworkCondition("split")
    groups = [["netns:a"], ["192.0.2.9"]]
    assert [each.dry_run for each in service.partition(groups, template, dry_run=True)] == [True]
    assert service.show() == []
    service.partition(groups, template, one_way=True)
    (shown,) = service.show()
    (rule,) = shown.condition.rules
    assert (shown.target.reference, shown.condition.name) == ("netns:a", "split")
    assert (rule.match.to, rule.match.direction, rule.condition.block) == (("192.0.2.9",), "egress", "drop")


@pytest.mark.parametrize("address", ["192.0.2.9", "2001:db8::9", "fd00::9"])
def test_an_address_is_no_namespace_that_is_entered(service: LocalService, address: str) -> None:
    """fd00::9 begins as the words of a reference do."""
    asks = replace(service, caller=may("set:netns:a"))
    assert asks.set([slow("netns:a", to=address)])
