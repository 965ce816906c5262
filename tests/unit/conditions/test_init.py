from __future__ import annotations

import subprocess
import sys

import netweather.conditions as conditions


def test_every_public_name_is_there() -> None:
    for name in conditions.__all__:
        assert getattr(conditions, name) is not None, name
    assert sorted(conditions.__all__) == sorted(set(conditions.__all__))


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(conditions, "nonsense")


def test_the_import_brings_nothing_heavy() -> None:
    code = (
        "import sys, netweather.conditions as c; "
        "heavy = {'pydantic', 'yaml', 'numpy', 'difflib', 'json', 'ipaddress', 'netweather.kernel'}; "
        "heavy.add('netweather.conditions.language.flags'); "
        "print(*sorted(heavy & set(sys.modules))); c.Delay; c.load({'rules': []}); "
        "print(*sorted({'pydantic', 'yaml', 'numpy', 'netweather.kernel'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_functions_are_not_hidden_by_modules_of_the_same_name() -> None:
    for name in ("load", "dump", "validate", "explain", "expand", "builtin_profiles"):
        assert callable(getattr(conditions, name)), name
