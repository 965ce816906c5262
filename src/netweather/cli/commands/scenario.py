"""`netweather scenario`: a timeline of conditions, played by the agent, or here in the foreground."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from netweather.cli import command_factory, completion
from netweather.cli.options import direct_option, json_option
from netweather.cli.output import remark, say, say_json
from netweather.connecting import agent, connect
from netweather.errors import NetweatherError, UsageError
from netweather.settings import Settings

if TYPE_CHECKING:
    from netweather.client import Client
    from netweather.conditions import NetworkCondition
    from netweather.conditions.scenario import Scenario
    from netweather.conditions.scenario_timeline import ScenarioTimeline
    from netweather.service import Service
    from netweather.service.protocol import Heard

_EXAMPLES = """
netweather scenario check evening.yaml
netweather scenario run evening.yaml
netweather scenario show
netweather scenario pause bad-evening
netweather scenario resume bad-evening
netweather scenario stop bad-evening
# without the agent: in the foreground, until its end or Ctrl-C
sudo netweather scenario run evening.yaml --direct
"""
ACTIONS: Final = ("run", "show", "pause", "resume", "stop", "check")
_MOST_LINES: Final = 200


@command_factory.command("scenario", examples=_EXAMPLES)
@command_factory.argument("action", metavar="ACTION", complete=completion.fixed(*ACTIONS), help=f"{', '.join(ACTIONS)}")
@command_factory.argument(
    "subject", metavar="FILE|NAME", required=False, help="a YAML or JSON file (run, check), or the name of a running scenario"
)
@command_factory.option("--wait", is_flag=True, help="run only: wait until the scenario ends; Ctrl-C stops it")
@command_factory.option("--dry-run", is_flag=True, help="run only: only print the timeline")
@direct_option
@json_option
def command(action: str, subject: str | None, *, wait: bool, dry_run: bool, direct: bool, as_json: bool) -> int:
    """Plays a timeline of conditions, for example: at 0 s profile 4g, at 30 s loss for 10 s, at 60 s a partition. Steps can
    flap, ramp and repeat.

    `run` starts the scenario on the agent and returns when its first step is in force; without an agent, this command plays it
    in the foreground. `pause` stops the timeline (conditions in force stay), `resume` continues it, `stop` ends the scenario.
    `check` prints the timeline. Every condition has a lease of 30 s that the player renews, so the conditions end soon after
    the player dies.
    """
    if action not in ACTIONS:
        from netweather.errors import unknown

        raise unknown("unknown-action", action[:40], ACTIONS)
    settings = Settings.load()
    if action in ("run", "check"):
        scenario = _read(subject, settings)
        if action == "check" or dry_run:
            _tell_timeline(scenario, as_json=as_json)
            return 0
        return _run(scenario, settings, direct=direct, wait=wait, as_json=as_json)
    client = _client(settings, direct=direct)
    if action == "show":
        _tell(client.scenarios(subject), as_json=as_json)
        return 0
    if subject is None:
        raise UsageError(
            "missing-argument", f"netweather scenario {action}: no NAME is given", "", "see `netweather scenario show`"
        )
    _tell([client.turn_scenario(subject, action)], as_json=as_json)  # type: ignore[arg-type]  # one of ACTIONS, but those above
    return 0


def _read(file: str | None, settings: Settings) -> Scenario:
    """The scenario of a file, needing no other file any more. Raises UsageError that names the file."""
    if file is None:
        raise UsageError(
            "missing-argument", "netweather scenario: no FILE is given", "", "write the path of a scenario, or - for stdin"
        )
    from netweather.cli.files import text_of
    from netweather.conditions.embedding import own_profiles
    from netweather.conditions.scenario import embedded_scenario, load_scenario_text

    try:
        return embedded_scenario(load_scenario_text(text_of(file)), own_profiles(settings.profiles))
    except UsageError as error:
        raise UsageError(error.code, f"{'stdin' if file == '-' else file}: {error.what}", error.why, error.remedy) from error


def _client(settings: Settings, *, direct: bool) -> Client:
    """The agent's. Raises NetweatherError(code="no-agent")."""
    found = None if direct else agent(settings)
    if found is None:
        why = "a scenario in the foreground is controlled in its own terminal"
        raise NetweatherError("no-agent", "no agent runs", why, "start one: sudo netweather agent")
    return found


# playing


def _run(scenario: Scenario, settings: Settings, *, direct: bool, wait: bool, as_json: bool) -> int:
    client = None if direct else agent(settings)
    if client is None:
        return _wait_for(connect(settings, direct=True), scenario, _telling(as_json=as_json))
    if not wait:
        _tell([client.run_scenario(scenario)], as_json=as_json)
        return 0
    remark("playing", f"{scenario.name}, until it ends; Ctrl-C stops it")
    return _wait_for(client, scenario, None, as_json=as_json)


def _wait_for(service: Service, scenario: Scenario, heard: Heard | None, *, as_json: bool = False) -> int:
    """Plays it to its end, or to a signal's. heard: hears of each step, which replaces the table at the end."""
    from netweather.cli.signals import Stopped, stopped_by_signals
    from netweather.kernel.waiting import pause

    with stopped_by_signals():
        try:
            document = service.run_scenario(scenario, *([heard] if heard else []))
            while document["status"]["state"] in ("playing", "paused"):
                pause(0.5)
                document = service.scenarios(scenario.name)[0]
        except Stopped:
            document = service.turn_scenario(scenario.name, "stop")
    if heard is None:
        _tell([document], as_json=as_json)
    return 1 if document["status"]["state"] == "failed" else 0


def _telling(*, as_json: bool) -> Heard:
    def tell(kind: str, data: dict[str, Any]) -> None:
        if as_json:
            say_json({"event": kind, **data}, compact=True)
        elif kind == "scenario-stepped":
            changes = [f"+ {name}" for name in data["set"]] + [f"- {name}" for name in data["cleared"]]
            say(f"{data['atSeconds']:8.2f} s  {'; '.join(changes)}")
        else:
            remark(kind.removeprefix("scenario-"), data.get("why", ""))
        sys.stdout.flush()

    return tell


# saying it


def _tell(documents: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        say_json(documents)
        return
    from netweather.cli.output import say_table

    if not documents:
        say("no scenario is being played")
        return
    rows = []
    for each in documents:
        status, rounds = each["status"], each["spec"].get("repeat", 1)
        at = f"{status['atSeconds']:.0f} of {status['secondsOfARound']:.0f} s" + (
            f", round {status['round']} of {rounds}" if rounds > 1 else ""
        )
        held = "\n".join(f"{one['name']} on {one['target']}" for one in status["inForce"])
        problem = f"\n{status['problem']['title']}" if "problem" in status else f"\n{status['why']}" if "why" in status else ""
        rows.append([each["metadata"]["name"], status["state"] + problem, at, held, each["spec"].get("owner", "")])
    say_table(("Scenario", "State", "At", "In force", "Owner"), rows)


def _tell_timeline(scenario: Scenario, *, as_json: bool) -> None:
    """What would come when. Raises UsageError."""
    from netweather.conditions.scenario import dump_scenario
    from netweather.conditions.scenario_timeline import timeline

    found = timeline(scenario)
    if as_json:
        moments = [{"atSeconds": moment.at / 1e9, "inForce": _in_force(moment.conditions)} for moment in found.moments]
        say_json({**dump_scenario(scenario), "status": {"secondsOfARound": found.length / 1e9, "moments": moments}})
        return
    rounds = f", {scenario.repeat} rounds" if scenario.repeat > 1 else ""
    say(f"{scenario.name}: {found.length / 1e9:g} s{rounds}; leased for {scenario.lease} at a time")
    for line in _lines(found)[:_MOST_LINES]:
        say(line)


def _lines(found: ScenarioTimeline) -> list[str]:
    """A line for each moment: what comes, and what goes."""
    from netweather.cli.wording import condition_words, match_words

    lines: list[str] = []
    before: dict[Any, NetworkCondition] = {}
    for moment in found.moments:
        now = {(each.name, each.targets): each for each in moment.conditions}
        parts = [f"- {name}" for name, targets in before if (name, targets) not in now]
        for key, each in now.items():
            if before.get(key) != each:
                rules = "; ".join(f"{condition_words(rule.condition)}: {match_words(rule.match)}" for rule in each.rules)
                parts.append(f"+ {each.name} on {', '.join(each.targets)}: {rules}")
        lines += [f"{moment.at / 1e9:8.2f} s  {part}" for part in parts]
        before = now
    return [*lines, f"{found.length / 1e9:8.2f} s  end"]


def _in_force(conditions: Sequence[NetworkCondition]) -> list[dict[str, Any]]:
    from netweather.conditions import dump

    return [dump(each) for each in conditions]
