"""compose:SERVICE and compose:PROJECT/SERVICE: the running containers of a docker compose service, by compose's labels.

Without PROJECT it is the one that `docker compose` would take here (COMPOSE_PROJECT_NAME; else of the compose file in this
folder or above: COMPOSE_PROJECT_NAME in .env, `name:`, the folder's name), when that has the service; else the only one that has.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from netweather.errors import NetweatherError
from netweather.targets import docker
from netweather.targets._dockerapi import Container, DockerApi
from netweather.targets._errors import unknown_target
from netweather.targets.model import Listing, Target, Watch
from netweather.targets.references import Reference

_FILES: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_PROJECT, _SERVICE, _ONE_OFF = (f"com.docker.compose.{key}" for key in ("project", "service", "oneoff"))
_NAME_LINE: Final = re.compile(r"""^name:[ \t]*["']?([a-z0-9][a-z0-9_-]*)["']?[ \t]*(?:#.*)?$""", re.MULTILINE)
_ENV_LINE: Final = re.compile(r"""^(?:export[ \t]+)?COMPOSE_PROJECT_NAME=["']?([a-z0-9][a-z0-9_-]*)["']?[ \t]*$""", re.MULTILINE)


class ComposeServices:
    """The runtime of the scheme compose. connect: makes the Docker client, at every use."""

    def __init__(self, connect: Callable[[], DockerApi] = DockerApi.from_environment) -> None:
        self._connect = connect

    def open(self, reference: Reference, *, as_peer: bool = False) -> list[Target]:
        """The namespaces of all running containers of the service.

        Raises NetweatherError: unknown-target (names the nearest service), ambiguous-target (several projects have it), and
        everything that the scheme docker raises.
        """
        api = self._connect()
        project, _, service = reference.rest.rpartition("/")
        labels = [f"{_SERVICE}={service}", *([f"{_PROJECT}={project}"] if project else [])]
        found = [each for each in api.containers(every=True, labels=labels) if each.labels.get(_ONE_OFF, "").lower() != "true"]
        if not found:
            raise _unknown(api, reference.rest)
        if not project:
            own = os.environ.get("COMPOSE_PROJECT_NAME", "")
            project = choose_project(service, found, own or default_project(Path.cwd()), strictly=bool(own))
        chosen = [each for each in found if each.labels.get(_PROJECT) == project]
        none_runs = f"no container of the compose service {project}/{service} is running"
        return docker.open_running(api, chosen, reference, none_runs, as_peer=as_peer)

    def watch(self, reference: Reference) -> Watch:
        """The service's containers, as they come and go: of the project that is named, else of the one that compose would take here,
        else of the first that has the service: a project that comes later is another's."""
        project, _, service = reference.rest.rpartition("/")
        project = project or os.environ.get("COMPOSE_PROJECT_NAME", "") or default_project(Path.cwd()) or ""

        def fits(container: Container) -> bool:
            nonlocal project
            labels = container.labels
            if labels.get(_SERVICE) != service or labels.get(_ONE_OFF, "").lower() == "true":
                return False
            project = project or labels.get(_PROJECT, "")
            return labels.get(_PROJECT) == project

        return docker.ContainerWatch(self._connect, reference, fits)

    def listings(self) -> list[Listing]:
        """Nothing: the scheme docker lists these containers, with their service."""
        return []


def choose_project(service: str, found: list[Container], default: str | None, *, strictly: bool = False) -> str:
    """The project that a service without one means.

    found: every container of that service; default: compose's own choice here, None when there is none; strictly: take no other.
    Raises NetweatherError ambiguous-target, unknown-target (strictly, and the default project has no such service).
    """
    projects = sorted({container.labels.get(_PROJECT, "") for container in found})
    if default in projects:
        return str(default)
    remedy = f"write compose:{projects[0]}/{service}"
    if strictly:
        what, why = f"the compose project {default!r} has no service {service!r}", "COMPOSE_PROJECT_NAME names that project"
        raise NetweatherError("unknown-target", what, f"{why}; those that have it: {', '.join(projects)}", remedy)
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
    what = f"there is no compose service {word!r}"
    return unknown_target(what, word, known, "running services", "see what there is: netweather targets")


RUNTIME = ComposeServices()
