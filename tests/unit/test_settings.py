from __future__ import annotations

from pathlib import Path

import pytest

from netweather.errors import UsageError
from netweather.settings import Settings
from netweather.units import Duration


def test_defaults() -> None:
    settings = Settings.load({}, Path("/nonexistent"))
    assert settings == Settings()
    assert settings.state == Path("/run/netweather")


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
