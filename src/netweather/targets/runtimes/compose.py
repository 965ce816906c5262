"""compose:SERVICE and compose:PROJECT/SERVICE: the running containers of a docker compose service, by compose's labels.

Without PROJECT it is the one that `docker compose` would take here (COMPOSE_PROJECT_NAME; else of the compose file in this
folder or above: COMPOSE_PROJECT_NAME in .env, `name:`, the folder's name), when that has the service; else the only one that has.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from netweather.errors import NetweatherError
from netweather.targets._failures import unknown_target
from netweather.targets.model import Listing, Target, Watch
from netweather.targets.references import Reference
from netweather.targets.runtimes import docker
from netweather.targets.runtimes._dockerapi import ApiContainer, DockerApi

_FILES: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_PROJECT, _SERVICE, _ONE_OFF = (f"com.docker.compose.{key}" for key in ("project", "service", "oneoff"))
_NAME_LINE: Final = re.compile(r"""^name:[ \t]*["']?([a-z0-9][a-z0-9_-]*)["']?[ \t]*(?:#.*)?$""", re.MULTILINE)
_ENV_LINE: Final = re.compile(r"""^(?:export[ \t]+)?COMPOSE_PROJECT_NAME=["']?([a-z0-9][a-z0-9_-]*)["']?[ \t]*$""", re.MULTILINE)


@dataclass(frozen=True)
class Own:
    """The project that a service without one means. only: no other project is meant, even if this one lacks the service."""

    project: str = ""
    only: bool = False

    @classmethod
    def here(cls) -> Own:
        """What docker compose would take in this process's folder and environment."""
        named = os.environ.get("COMPOSE_PROJECT_NAME", "")
        return cls(named or default_project(Path.cwd()) or "", bool(named))


class ComposeServices:
    """The runtime of the scheme compose. connect: makes the Docker client, at every use.

    own: of a service without a project. An agent sets it to `Own`: its own folder means nothing to whoever asks it.
    """

    def __init__(self, connect: Callable[[], DockerApi] = DockerApi.from_environment, own: Callable[[], Own] = Own.here) -> None:
        self._connect, self.own = connect, own

    def open(self, reference: Reference, *, as_peer: bool = False) -> list[Target]:
        """The namespaces of all running containers of the service.

        Raises NetweatherError: unknown-target (names the nearest service), ambiguous-target (several projects have it), and
        everything that the scheme docker raises.
        """
        api = self._connect()
        project, _, service = reference.rest.rpartition("/")
        found = _containers(api, project, service)
        if not found:
            raise _unknown(api, reference.rest)
        project = project or choose_project(service, found, self.own())
        chosen = [each for each in found if each.labels.get(_PROJECT) == project]
        none_runs = f"no container of the compose service {project}/{service} is running"
        return docker.open_running(api, chosen, reference, none_runs, as_peer=as_peer)

    def watch(self, reference: Reference) -> Watch:
        """The service's containers, as they come and go: of the project that is named, else of the one that compose would take here,
        else of the first that has the service: a project that comes later is another's."""
        project, _, service = reference.rest.rpartition("/")
        project = project or self.own().project

        def fits(container: ApiContainer) -> bool:
            nonlocal project
            labels = container.labels
            if labels.get(_SERVICE) != service or labels.get(_ONE_OFF, "").lower() == "true":
                return False
            project = project or labels.get(_PROJECT, "")
            return labels.get(_PROJECT) == project

        return docker.ContainerWatch(self._connect, reference, fits)

    def complete(self, word: str, own: Own | None = None) -> str:
        """PROJECT/SERVICE of a service; the word as it is when no container has it. own: the caller's project.

        Raises NetweatherError ambiguous-target, unknown-target (`own.only`), and what the engine's failures raise.
        """
        found = [] if "/" in word else _containers(self._connect(), "", word)
        return f"{choose_project(word, found, own or self.own())}/{word}" if found else word

    def listings(self) -> list[Listing]:
        """Nothing: the scheme docker lists these containers, with their service."""
        return []


def _containers(api: DockerApi, project: str, service: str) -> list[ApiContainer]:
    """All of a service, of this project or of any ("")."""
    labels = [f"{_SERVICE}={service}", *([f"{_PROJECT}={project}"] if project else [])]
    return [each for each in api.containers(every=True, labels=labels) if each.labels.get(_ONE_OFF, "").lower() != "true"]


def choose_project(service: str, found: list[ApiContainer], own: Own) -> str:
    """The project that a service without one means.

    found: every container of that service.
    Raises NetweatherError ambiguous-target, unknown-target (`own.only`, and that project has no such service).
    """
    projects = sorted({container.labels.get(_PROJECT, "") for container in found})
    if own.project in projects:
        return own.project
    remedy = f"write compose:{projects[0]}/{service}"
    if own.only:
        what, why = f"the compose project {own.project!r} has no service {service!r}", "COMPOSE_PROJECT_NAME names that project"
        raise NetweatherError("unknown-target", what, f"{why}; projects with this service: {', '.join(projects)}", remedy)
    if len(projects) > 1:
        what = f"several compose projects have a service {service!r}"
        raise NetweatherError("ambiguous-target", what, ", ".join(projects), remedy)
    return projects[0]


def default_project(folder: Path, environment: Mapping[str, str] = os.environ) -> str | None:
    """The name that compose gives the project of a folder: of the compose file in it or the nearest folder above.

    None when there is no compose file, and when its `name:` is an expression. COMPOSE_FILE is respected; COMPOSE_PROJECT_NAME of
    the environment is the caller's to look at.
    """
    file = _compose_file(folder, environment)
    if file is None:
        return None
    written = _ENV_LINE.search(_text(file.parent / ".env"))
    if written:
        return written[1]
    text = _text(file)
    named = _NAME_LINE.search(text)
    if named:
        return named[1]
    if re.search(r"^name:", text, re.MULTILINE):
        return None
    return re.sub(r"[^a-z0-9_-]", "", file.resolve().parent.name.lower()).lstrip("_-") or None


def _compose_file(folder: Path, environment: Mapping[str, str]) -> Path | None:
    named = environment.get("COMPOSE_FILE", "").split(environment.get("COMPOSE_PATH_SEPARATOR") or ":")[0]
    if named:
        return folder / named
    candidates = (place / name for place in (folder, *folder.parents) for name in _FILES)
    return next((path for path in candidates if path.is_file()), None)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _unknown(api: DockerApi, word: str) -> NetweatherError:
    services = [container.compose for container in api.containers() if container.compose]
    known = services if "/" in word else [each.partition("/")[2] for each in services]
    what = f"no compose service has the name {word!r}"
    return unknown_target(what, word, known, "running services", "list possible targets: netweather targets")


RUNTIME = ComposeServices()
