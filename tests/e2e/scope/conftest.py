"""A plugin beside the session's Docker, and containers by their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.support.docker import Docker
from tests.support.scopeplugin import END_ALL, RealPlugin

Box = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="package")
def plugin(tmp_path_factory: pytest.TempPathFactory, docker: Docker) -> Iterator[RealPlugin]:
    """One for all tests of this folder."""
    made = RealPlugin(tmp_path_factory.mktemp("scope"), {"DOCKER_HOST": docker.environment["DOCKER_HOST"]})
    made.start()
    yield made
    made.close()


@pytest.fixture
def own_plugin(tmp_path_factory: pytest.TempPathFactory, docker: Docker) -> Iterator[RealPlugin]:
    """One that is not started yet. In a folder of a short name: a socket's path has 107 bytes at most."""
    made = RealPlugin(tmp_path_factory.mktemp("own"), {"DOCKER_HOST": docker.environment["DOCKER_HOST"]})
    yield made
    made.close()


@pytest.fixture
def box(docker: Docker) -> Box:
    """`with box() as id:` a container, by its whole id."""

    @contextmanager
    def make(**options: object) -> Iterator[str]:
        with docker.container(**options) as name:  # type: ignore[arg-type]  # handed on
            yield str(docker.inspect(name)["Id"])

    return make


@pytest.fixture(scope="package")
def lasting(plugin: RealPlugin, docker: Docker) -> Iterator[list[str]]:
    """The ids of two containers for all tests of this folder: starting one for each test takes most of their time."""
    with docker.container() as one, docker.container() as other:
        made = [str(docker.inspect(name)["Id"]) for name in (one, other)]
        for each in made:
            plugin.appeared(each)
        yield made


@pytest.fixture
def pair(plugin: RealPlugin, lasting: list[str]) -> list[str]:
    """The same, without a condition."""
    for each in lasting:
        if plugin.summary(each) != "-":
            plugin.press(each, END_ALL)
            plugin.told(each, "-")
    return lasting


@pytest.fixture
def one(pair: list[str]) -> str:
    return pair[0]
