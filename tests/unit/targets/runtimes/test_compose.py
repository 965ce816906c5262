from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.targets import complete
from netweather.targets.references import parse
from netweather.targets.runtimes.compose import RUNTIME, Own, default_project
from tests.unit.targets.fake_docker import Engine

Refused = Callable[[Callable[[], object]], NetweatherError]


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working folder without a compose file."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add(engine: Engine, project: str, service: str, state: str = "running", **more: str) -> None:
    labels = {"com.docker.compose.project": project, "com.docker.compose.service": service, **more}
    engine.add(f"{project}-{service}-{len(engine.containers)}", state, labels=labels)


def names(text: str) -> list[str]:
    found = RUNTIME.open(parse(text))
    for target in found:
        target.close()
    assert {target.runtime for target in found} == {"compose"}
    assert {target.reference for target in found} == {text}
    return [target.name for target in found]


def test_every_replica_is_a_target_but_one_off_and_stopped_ones(engine: Engine) -> None:
    add(engine, "shop", "web")
    add(engine, "shop", "web")
    add(engine, "shop", "web", "exited")
    add(engine, "shop", "web", **{"com.docker.compose.oneoff": "True"})
    add(engine, "shop", "db")
    assert names("compose:shop/web") == names("compose:web") == ["shop-web-0", "shop-web-1"]


def test_a_service_of_several_projects_is_ambiguous(engine: Engine, refused: Refused) -> None:
    add(engine, "shop", "web")
    add(engine, "blog", "web")
    error = refused(lambda: names("compose:web"))
    assert (error.code, error.why, error.remedy) == ("ambiguous-target", "blog, shop", "write compose:blog/web")
    assert names("compose:shop/web") == ["shop-web-0"]


def test_the_folders_project_comes_first(engine: Engine, nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(engine, "shop", "web")
    add(engine, "blog", "web")
    add(engine, "blog", "db")
    (nowhere / "shop").mkdir()
    (nowhere / "shop" / "compose.yaml").touch()
    monkeypatch.chdir(nowhere / "shop")
    assert names("compose:web") == ["shop-web-0"]
    assert names("compose:db") == ["blog-db-2"]


def test_a_project_named_by_the_environment_is_the_only_one(
    engine: Engine, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(engine, "shop", "web")
    add(engine, "blog", "web")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "blog")
    assert names("compose:web") == ["blog-web-1"]
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "mail")
    error = refused(lambda: names("compose:web"))
    assert error.code == "unknown-target"
    assert "blog, shop" in error.why


def test_a_command_line_gets_the_project(engine: Engine, refused: Refused, nowhere: Path) -> None:
    add(engine, "shop", "web")
    assert complete("compose:web") == complete("compose:web", Own("mail")) == "compose:shop/web"
    assert complete("compose:db") == "compose:db"
    assert complete("compose:mail/web") == "compose:mail/web"
    assert refused(lambda: complete("compose:web", Own("mail", only=True))).code == "unknown-target"
    add(engine, "blog", "web")
    assert complete("compose:web", Own("blog")) == "compose:blog/web"
    assert refused(lambda: complete("compose:web")).code == "ambiguous-target"
    (nowhere / "compose.yaml").write_text("name: shop")
    assert complete("compose:web") == "compose:shop/web"
    assert refused(lambda: complete("compose:web", Own())).code == "ambiguous-target", "somebody else's folder"


def test_in_an_agent_its_own_folder_means_nothing(
    engine: Engine, refused: Refused, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nowhere / "compose.yaml").write_text("name: shop")
    add(engine, "shop", "web")
    add(engine, "blog", "web")
    assert names("compose:web") == ["shop-web-0"]
    monkeypatch.setattr(RUNTIME, "own", Own)
    assert refused(lambda: names("compose:web")).code == "ambiguous-target"


def test_unknown_services_get_the_nearest(engine: Engine, refused: Refused) -> None:
    assert refused(lambda: names("compose:web")).why == "no running services exist"
    add(engine, "shop", "web")
    engine.add("other")
    assert refused(lambda: names("compose:wbe")).why == "similar running services: web"
    assert refused(lambda: names("compose:shpo/web")).why == "similar running services: shop/web"


def test_a_stopped_service_says_which_containers(engine: Engine, refused: Refused) -> None:
    add(engine, "shop", "web", "exited")
    error = refused(lambda: names("compose:web"))
    assert (error.code, error.why) == ("target-not-running", "shop-web-0 is exited")
    assert "shop/web" in error.what
    assert error.remedy == "docker start shop-web-0"


def test_compose_lists_nothing_of_its_own() -> None:
    assert RUNTIME.listings() == []


@pytest.mark.parametrize("file", ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"])
def test_the_default_project_is_the_folders_name_as_compose_writes_it(file: str, nowhere: Path) -> None:
    folder = nowhere / "_My Shop.v2"
    (folder / "src").mkdir(parents=True)
    (folder / file).write_text("services: {web: {image: x}}\n")
    assert default_project(folder, {}) == default_project(folder / "src", {}) == "myshopv2"


@pytest.mark.parametrize(
    ("line", "project"),
    [
        ("name: my-shop", "my-shop"),
        ("name: 'shop'  # ours", "shop"),
        ('name: "shop"', "shop"),
        ("name: ${SHOP:-x}", None),
        ("  name: inner", "folder"),
    ],
)
def test_the_files_name_comes_before_the_folders(line: str, project: str | None, nowhere: Path) -> None:
    (nowhere / "folder").mkdir()
    (nowhere / "folder" / "compose.yml").write_text(f"services:\n  web:\n    image: x\n{line}\n")
    assert default_project(nowhere / "folder", {}) == project


def test_env_files_and_compose_file_are_respected(nowhere: Path) -> None:
    (nowhere / "other").mkdir()
    (nowhere / "other" / "shop.yaml").write_text("name: shop\n")
    assert default_project(nowhere, {"COMPOSE_FILE": "other/shop.yaml:other/more.yaml"}) == "shop"
    assert default_project(nowhere, {"COMPOSE_FILE": "other/shop.yaml;x", "COMPOSE_PATH_SEPARATOR": ";"}) == "shop"
    (nowhere / "other" / ".env").write_text("A=1\nCOMPOSE_PROJECT_NAME=mail\n")
    assert default_project(nowhere, {"COMPOSE_FILE": "other/shop.yaml"}) == "mail"


def test_without_a_compose_file_there_is_no_default(nowhere: Path) -> None:
    assert default_project(nowhere, {}) is None


def test_who_follows_a_service_keeps_to_its_project(engine: Engine) -> None:
    """Another project may come to have a service of the same name."""
    add(engine, "shop", "web")
    watch = RUNTIME.watch(parse("compose:web"))
    assert watch.present() == {engine.containers[0]["Id"]}
    add(engine, "blog", "web")
    assert watch.present() == {engine.containers[0]["Id"]}
    engine.containers.pop(0)
    assert watch.present() == set()
    add(engine, "shop", "web")
    assert watch.present() == {engine.containers[1]["Id"]}
