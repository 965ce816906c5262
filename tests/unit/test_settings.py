from __future__ import annotations

import pwd
from dataclasses import replace
from pathlib import Path

import pytest

from netweather.errors import UsageError
from netweather.settings import Settings
from netweather.units import Duration


def test_defaults() -> None:
    settings = Settings.load({}, Path("/nonexistent"))
    assert settings == replace(Settings(), profiles=settings.profiles)
    assert settings.state == Path("/run/netweather")


def test_own_profiles_are_those_of_who_called_sudo() -> None:
    everybodys, own = Settings.load({"SUDO_USER": "root"}, Path("/nonexistent")).profiles
    assert everybodys == Path("/etc/netweather/profiles.d")
    assert own == Path(pwd.getpwnam("root").pw_dir, ".config/netweather/profiles.d")
    two = Settings.load({"NETWEATHER_PROFILES": "/a/b.yaml:/c"}, Path("/nonexistent")).profiles
    assert two == (Path("/a/b.yaml"), Path("/c"))


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('lease = "5m"\nowner = "file"\n')
    settings = Settings.load({"NETWEATHER_OWNER": "environment"}, config)
    assert settings.owner == "environment"
    assert settings.lease == Duration.parse("5m")


@pytest.mark.parametrize("environment", [{"NETWEATHER_HOOK": "xdp"}, {"NETWEATHER_LEASE": "5"}])
def test_bad_values_are_told(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        Settings.load(environment, Path("/nonexistent"))


def test_an_unknown_setting_is_told(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("leese = 1\n")
    with pytest.raises(UsageError, match="leese"):
        Settings.load({}, config)
