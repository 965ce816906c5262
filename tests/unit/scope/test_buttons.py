from __future__ import annotations

import pytest

from netweather.conditions import Condition, Match, NetworkCondition, Rule, builtin_profiles, load_profiles
from netweather.conditions.language.flags import rule_to_flags
from netweather.conditions.validation import validate
from netweather.errors import UsageError
from netweather.scope.buttons import LEGACY, NAME, STEPS, Button, ButtonState, controls, name_of, panel, wish_of
from netweather.units import Duration, Percent, Rate

BUTTONS = controls(builtin_profiles().values())


def pressed(*ids: str) -> ButtonState:
    """What is there after these buttons, each read back from the condition that the one before made."""
    wish = ButtonState()
    for id in ids:  # noqa: A001 - Scope's word
        wish = BUTTONS[id].change(wish_of(NetworkCondition(NAME, rules=wish.rules())))
    return wish


@pytest.mark.parametrize(
    ("id", "flags"),
    [
        ("slow", {"delay": "2s"}),
        ("medium", {"delay": "1s"}),
        ("fast", {"delay": "500ms"}),
        ("pkt-drop-low", {"loss": "10%"}),
    ],
)
def test_the_originals_are_for_what_is_sent(id: str, flags: dict[str, str]) -> None:  # noqa: A002 - Scope's word
    (rule,) = pressed(f"traffic-control-table-{id}").rules()
    assert rule_to_flags(rule) == {**flags, "direction": "egress"}


def test_delay_loss_and_rate_come_together() -> None:
    words = ("table-slow", "bandwidth-low", "table-pkt-drop-low", "table-fast")
    wish = pressed(*(f"traffic-control-{each}" for each in words))
    assert wish == ButtonState(Duration(500_000_000), Percent.parse("10%"), Rate(128_000))
    sent, received = wish.rules()
    assert (sent.match.direction, received.match.direction) == ("egress", "ingress")
    assert rule_to_flags(received) == {"rate": "128kbit", "direction": "ingress"}


def test_a_profile_takes_the_place_of_all_and_they_of_it() -> None:
    assert pressed("traffic-control-table-slow", "traffic-control-profile-3g") == ButtonState(profile="3g")
    assert pressed("traffic-control-profile-3g", "traffic-control-table-fast") == ButtonState(delay=Duration(500_000_000))


@pytest.mark.parametrize("id", ["traffic-control-table-clear", "traffic-control-end-all"])
def test_ends(id: str) -> None:  # noqa: A002 - Scope's word
    assert pressed("traffic-control-table-slow", id).rules() == ()
    assert pressed(id) == ButtonState()


@pytest.mark.parametrize("button", BUTTONS.values(), ids=BUTTONS)
def test_what_a_button_makes_is_a_condition(button: Button) -> None:
    rules = button.change(ButtonState(loss=Percent.parse("10%"))).rules()
    validate(NetworkCondition(NAME, rules=rules))
    twice = button.change(button.change(ButtonState()))
    assert button.change(ButtonState()) == twice or button.id == "next-profile"  # a second click changes nothing


def test_their_ranks_give_them_an_order() -> None:
    ranks = [each.rank for each in BUTTONS.values()]
    assert ranks == sorted(set(ranks))
    assert ranks[:5] == [19, 20, 21, 22, 23] == [each.rank for each in LEGACY]


def test_the_panel_has_clear_first_and_then_the_originals_the_next_profile_and_a_rate() -> None:
    """Docker's own five icons leave room for seven."""
    names = [name_of(id) for id in panel(BUTTONS)]  # noqa: A001 - Scope's word
    assert names[:7] == ["clear", "slow", "medium", "fast", "pkt-drop-low", "next-profile", "bandwidth-medium"]
    assert names[7:] == ["end-all", "bandwidth-high", "bandwidth-low"]


def test_the_next_profile_steps_through_those_given_and_begins_again() -> None:
    def steps(*names: str) -> list[str]:
        button, wish, found = controls(builtin_profiles().values(), names)["next-profile"], ButtonState(), []
        for _ in range(len(names or STEPS) + 1):
            wish = button.change(wish_of(NetworkCondition(NAME, rules=wish.rules())))
            found.append(wish.profile)
        return found

    assert steps("3g", "refused") == ["3g", "refused", "3g"]
    assert steps() == [*STEPS, STEPS[0]]
    assert pressed("traffic-control-table-slow", "traffic-control-profile-3g", "next-profile") == ButtonState(profile="2g")
    own = load_profiles("office: {both: {rtt: 20ms}}")
    assert controls(own.values())["next-profile"].change(ButtonState()) == ButtonState(profile="office")
    assert "next-profile" not in controls([])


def test_the_panel_can_have_others() -> None:
    assert panel(BUTTONS, ["profile-3g", "end-all", "clear", "end-all"]) == (
        "traffic-control-table-clear", "traffic-control-end-all", "traffic-control-profile-3g",
    )  # fmt: skip
    with pytest.raises(UsageError) as wrong:
        panel(BUTTONS, ["3g"])
    assert wrong.value.code == "unknown-control"


def test_own_profiles_have_buttons_unless_their_name_can_be_no_id() -> None:
    own = load_profiles(
        "office: {title: the office, both: {rtt: 20ms}}\n'a;b': {both: {rtt: 20ms}}\n'with space': {both: {rtt: 1ms}}"
    )
    made = controls(own.values())
    assert [key for key in made if "-profile-" in key] == ["traffic-control-profile-office"]
    assert made["traffic-control-profile-office"].human == "Network: office (the office)"


def test_what_others_wrote_is_read_as_far_as_there_are_buttons() -> None:
    assert wish_of(None) == ButtonState()
    received = Rule(Match(direction="ingress"), Condition(profile="3g"))
    assert wish_of(NetworkCondition(rules=(received,))) == ButtonState()
