"""What a condition needs of this machine is put into it; and where own profiles come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netweather.conditions import Condition, Delay, Match, NetworkCondition, Rule, load_rule
from netweather.conditions.embedding import embedded, embedded_rule, own_profiles, paths, profile_file, with_profile_files
from netweather.errors import UsageError
from netweather.units import Duration

OFFICE = "office: {title: the office, source: measured in May, down: {rate: 50mbit}, up: {rate: 10mbit}, both: {rtt: 20ms}}\n"


def of(**condition: object) -> Rule:
    return load_rule({"condition": condition})


def test_files_become_contents(tmp_path: Path) -> None:
    (tmp_path / "up.trace").write_text("1\n5\n")
    (tmp_path / "mine.dist").write_text("-8192 0 8192\n")
    table = {"time": "5ms", "jitter": "1ms", "distribution": str(tmp_path / "mine.dist")}
    condition = NetworkCondition(rules=(of(trace=str(tmp_path / "up.trace"), delay=table), of(loss="1%")))
    assert paths(condition) == (str(tmp_path / "up.trace"), str(tmp_path / "mine.dist"))
    inside = embedded(condition).condition
    assert inside.rules[0].condition.trace == "1  # up.trace\n5\n"
    assert inside.rules[0].condition.delay == Delay(
        Duration(5 * 10**6), Duration(10**6), distribution="-8192 0 8192  # mine.dist\n"
    )
    assert inside.rules[1] == condition.rules[1]
    assert paths(inside) == ()
    assert embedded(inside).condition == inside


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unreadable-file"):
        embedded_rule(of(trace=str(tmp_path / "up.trace")))


def test_own_profiles_are_written_out_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "office.yaml").write_text(OFFICE)
    own = own_profiles([tmp_path])
    egress, ingress = embedded_rule(of(profile="office", loss="1%"), own)
    assert (egress.match, ingress.match) == (Match(direction="egress"), Match(direction="ingress"))
    assert str(egress.condition.rate and egress.condition.rate.bitrate) == "10mbit"
    assert str(ingress.condition.rate and ingress.condition.rate.bitrate) == "50mbit"
    assert {each.condition.profile for each in (egress, ingress)} == {None}
    far = embedded_rule(of(profile="office/reversed", loss="1%"), own)
    assert [each.condition for each in far] == [ingress.condition, egress.condition]
    assert embedded_rule(of(profile="3g"), own) == (Rule(condition=Condition(profile="3g")),)


def test_an_unknown_profile_is_told_with_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "office.yaml").write_text(OFFICE)
    with pytest.raises(UsageError, match="unknown-profile") as caught:
        embedded_rule(of(profile="offise"), own_profiles([tmp_path]))
    assert "office" in str(caught.value)


def test_profiles_come_from_files_and_folders_and_the_last_wins(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "1.yaml").write_text(OFFICE)
    (tmp_path / "d" / "2.yml").write_text(OFFICE.replace("the office", "the new office") + "home: {both: {delay: 5ms}}\n")
    (tmp_path / "d" / "notes.txt").write_text("not YAML: {")
    (tmp_path / "3.yaml").write_text("home: {title: mine, both: {delay: 6ms}}\n")
    found = own_profiles([tmp_path / "d", tmp_path / "3.yaml", tmp_path / "nowhere"])
    assert {name: each.title for name, each in found.items()} == {"office": "the new office", "home": "mine"}
    assert found["home"].file == str(tmp_path / "3.yaml")


def test_a_profiles_own_trace_is_looked_for_beside_it(tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text("train: {both: {trace: ./train.trace}}\n")
    (tmp_path / "train.trace").write_text("1\n5\n")
    assert own_profiles([tmp_path])["train"].up.trace == "1  # train.trace\n5\n"


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("office: {down: {rate: quick}}\n")
    with pytest.raises(UsageError, match="bad-rate") as caught:
        own_profiles([tmp_path])
    assert str(tmp_path / "x.yaml") in caught.value.what
    with pytest.raises(UsageError, match="unreadable-file"):
        own_profiles([tmp_path / "gone.yaml"])


def test_a_file_stands_in_place_of_its_one_profile(tmp_path: Path) -> None:
    (tmp_path / "office.yaml").write_text(OFFICE)
    path = str(tmp_path / "office.yaml")
    assert profile_file("office") == {}
    assert profile_file(f"{path}/reversed")[path].title == "the office"
    (egress, ingress) = with_profile_files(NetworkCondition(rules=(of(profile=path),))).rules
    assert (egress.match.direction, str(egress.condition.rate.bitrate)) == ("egress", "10mbit")  # type: ignore[union-attr]  # it has one
    assert (ingress.match.direction, ingress.condition.profile) == ("ingress", None)
    named = NetworkCondition(rules=(of(profile="3g"),))
    assert with_profile_files(named) == named


def test_a_file_with_other_than_one_profile_is_refused(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(f"{OFFICE}home: {{both: {{rtt: 20ms}}}}\n")
    with pytest.raises(UsageError, match="several-profiles"):
        profile_file(str(tmp_path / "two.yaml"))
    with pytest.raises(UsageError, match="unreadable-file"):
        profile_file(str(tmp_path / "none.yaml"))


def test_every_profile_is_expanded_and_says_which_rule_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "office.yaml").write_text(OFFICE)
    rules = (of(profile="3g"), of(loss="1%"), of(profile="office"))
    rules = tuple(replace(rule, match=Match(vlan=number + 1)) for number, rule in enumerate(rules))
    whole = embedded(NetworkCondition(rules=rules), own_profiles([tmp_path]))
    assert [rule.condition.profile for rule in whole.condition.rules] == ["3g", None, None, None]
    assert [origin for origin, _ in whole.rules] == [0, 0, 1, 2, 3]
    assert {rule.condition.profile for _, rule in whole.rules} == {None}
    assert [rule.match.direction for _, rule in whole.rules] == ["egress", "ingress", "both", "egress", "ingress"]


def test_what_makes_no_sense_with_what_the_profile_says_is_refused() -> None:
    with pytest.raises(UsageError, match="repeated-match"):
        embedded(NetworkCondition(rules=(of(profile="3g"), Rule(Match(direction="egress"), Condition()))))
