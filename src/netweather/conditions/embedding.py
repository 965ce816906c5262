"""What a condition needs of this machine, put into it: the files of its traces and tables, and the user's own profiles.

The only place of the condition language that looks for files. Settings say where own profiles are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from netweather.conditions.contents import is_contents, with_contents
from netweather.conditions.model import Condition, NetworkCondition, Rule
from netweather.conditions.profiles import REVERSED, Profile, load_profiles, profile_of, rules_of
from netweather.conditions.validation import validate_rules
from netweather.errors import UsageError


def own_profiles(places: Iterable[Path]) -> dict[str, Profile]:
    """The user's own profiles: of these YAML files, and of those in these folders; a later one of the same name wins.

    Folders that aren't there are looked over. Raises UsageError unreadable-file, or what `load_profiles` raises, naming the file.
    """
    found: dict[str, Profile] = {}
    for file in _files(places):
        try:
            loaded = load_profiles(file.read_text(encoding="utf-8"))
            found |= {name: _of_file(profile, file) for name, profile in loaded.items()}
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not a text"
            raise UsageError("unreadable-file", f"the profiles {file} can't be read", why, "check NETWEATHER_PROFILES") from error
        except UsageError as error:
            raise UsageError(error.code, f"{file}: {error.what}", error.why, error.remedy) from error
    return found


def _files(places: Iterable[Path]) -> Iterable[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted(path for path in place.iterdir() if path.suffix in (".yaml", ".yml"))
        elif place.exists() or place.suffix in (".yaml", ".yml"):
            yield place


def profile_file(word: str) -> dict[str, Profile]:
    """The one profile of a file that stands in place of a profile's name: {word: profile}; {} of a word that is a name.

    Raises UsageError unreadable-file, several-profiles, or what `load_profiles` raises.
    """
    plain = word.removesuffix(REVERSED)
    if Path(plain).suffix not in (".yaml", ".yml"):
        return {}
    found = own_profiles([Path(plain)])
    if len(found) != 1:
        why = f"it holds {len(found)}: {', '.join(found)}" if found else "it is empty"
        raise UsageError(
            "several-profiles",
            f"{plain} does not contain exactly one profile",
            why,
            "name it, and the file in NETWEATHER_PROFILES",
        )
    (profile,) = found.values()
    return {plain: dataclasses.replace(profile, name=plain)}


def with_profile_files(condition: NetworkCondition) -> NetworkCondition:
    """The same with what profiles' files say in place of their paths. Raises as `profile_file`."""
    rules: list[Rule] = []
    for rule in condition.rules:
        found = profile_file(rule.condition.profile) if rule.condition.profile else {}
        rules += embedded_rule(rule, found) if found else [rule]
    return dataclasses.replace(condition, rules=tuple(rules))


def _of_file(profile: Profile, file: Path) -> Profile:
    """With the contents of what it names, which is looked for beside it."""
    up, down = (_with_contents(each, file.parent) for each in (profile.up, profile.down))
    return dataclasses.replace(profile, up=up, down=down, file=str(file))


@dataclass(frozen=True)
class Embedded:
    """A condition that needs nothing of this machine: contents in place of paths, and what own profiles say in place of their names.

    rules: the same without profiles, each with the number of the condition's rule that it comes from.
    """

    condition: NetworkCondition
    rules: tuple[tuple[int, Rule], ...]


def embedded(condition: NetworkCondition, own: Mapping[str, Profile] | None = None) -> Embedded:
    """The condition, needing nothing of this machine any more: the one place that expands every profile.

    Raises UsageError unreadable-file, unknown-profile, or what `validate` raises when the whole no longer makes sense.
    """
    kept: list[Rule] = []
    plain: list[tuple[int, Rule]] = []
    for rule in condition.rules:
        some, parts = _embedded_rule(rule, own)
        first = len(kept)
        kept += some
        plain += ((first + (number if len(some) > 1 else 0), part) for number, part in enumerate(parts))
    if any(rule.condition.profile for rule in condition.rules):
        validate_rules(tuple(rule for _, rule in plain))
    return Embedded(dataclasses.replace(condition, rules=tuple(kept)), tuple(plain))


def embedded_rule(rule: Rule, own: Mapping[str, Profile] | None = None) -> tuple[Rule, ...]:
    """As `embedded`; a rule whose own profile differs by direction becomes two."""
    return _embedded_rule(rule, own)[0]


def _embedded_rule(rule: Rule, own: Mapping[str, Profile] | None) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """The rule needing nothing of this machine, and the same without its profile."""
    profile = profile_of(rule, own)
    parts = tuple(dataclasses.replace(each, condition=_with_contents(each.condition)) for each in rules_of(rule, profile))
    if profile is None or profile.file:
        return parts, parts
    return (dataclasses.replace(rule, condition=_with_contents(rule.condition)),), parts


def paths(condition: NetworkCondition) -> tuple[str, ...]:
    """The files that a condition names: one that comes from elsewhere must have none."""
    words = [word for rule in condition.rules for word in (rule.condition.trace, _table(rule.condition))]
    return tuple(word for word in words if word is not None and not is_contents(word))


def _table(condition: Condition) -> str | None:
    return condition.delay.table if condition.delay is not None else None


def _with_contents(condition: Condition, folder: Path = Path()) -> Condition:
    trace, delay = condition.trace, condition.delay
    if trace is not None:
        condition = dataclasses.replace(condition, trace=with_contents(trace, "trace", folder))
    if delay is not None and delay.table is not None:
        table = with_contents(delay.table, "table", folder)
        condition = dataclasses.replace(condition, delay=dataclasses.replace(delay, distribution=table))
    return condition
