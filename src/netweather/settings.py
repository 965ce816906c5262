"""Settings: flags, then `NETWEATHER_*`, then /etc/netweather/config.toml. Pure but for reading that file and the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from netweather.errors import UsageError
from netweather.units import Duration

CONFIG = Path("/etc/netweather/config.toml")
PROFILES = ("/etc/netweather/profiles.d", "~{user}/.config/netweather/profiles.d")


@dataclass(frozen=True)
class Settings:
    """state: the directory of journals and locks. lease: of a condition that names none. owner: who asks. hook: tcx, clsact or auto.

    profiles: YAML files of the user's own profiles, and folders of such files; later ones win. Written with colons between them.
    agent: where the agent is, unix:///PATH or https://HOST:PORT; unless given, the socket in the state directory when it answers.
    token: who we are to an agent elsewhere. ca: the path of the certificate that its own must be signed by, unless the system's.
    audit: the file where an agent writes who changed what.
    """

    state: Path = Path("/run/netweather")
    lease: Duration = field(default_factory=lambda: Duration(600 * 10**9))
    owner: str = ""
    hook: str = "auto"
    profiles: tuple[Path, ...] = ()
    agent: str = ""
    token: str = field(default="", repr=False)
    ca: str = ""
    audit: Path = Path("/var/log/netweather/audit.log")

    @property
    def socket(self) -> Path:
        """Where this machine's own agent listens."""
        return self.state / "agent.sock"

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None, config: Path = CONFIG) -> Settings:
        """Reads the settings. Raises UsageError(code="bad-setting") that names the setting and where it came from."""
        environment = os.environ if environment is None else environment
        values: dict[str, str] = {}
        if config.exists():
            import tomllib  # takes longer than all else here, and most machines have no such file

            values |= {key: str(value) for key, value in tomllib.loads(config.read_text()).items()}
        known = {field.name for field in fields(cls)}
        for key in values:
            if key not in known:
                raise UsageError(
                    "bad-setting", f"{config}: unknown setting {key!r}", "", f"the settings are {', '.join(sorted(known))}"
                )
        values |= {
            name: environment[f"NETWEATHER_{name.upper()}"] for name in known if f"NETWEATHER_{name.upper()}" in environment
        }
        hook = values.get("hook", "auto")
        if hook not in ("auto", "tcx", "clsact"):
            raise UsageError("bad-setting", f"hook {hook!r} is unknown", "", "write auto, tcx or clsact")
        return cls(
            state=Path(values.get("state", str(cls.state))),
            lease=Duration.parse(values.get("lease", "10m")),
            owner=values.get("owner", ""),
            hook=hook,
            profiles=_places(values.get("profiles", ":".join(PROFILES)), environment.get("SUDO_USER", "")),
            agent=values.get("agent", ""),
            token=values.get("token", ""),
            ca=values.get("ca", ""),
            audit=Path(values.get("audit", str(cls.audit))),
        )


def _places(text: str, user: str) -> tuple[Path, ...]:
    """user: who called sudo, and whose own profiles are meant."""
    return tuple(Path(os.path.expanduser(part.replace("{user}", user))) for part in text.split(":") if part)
