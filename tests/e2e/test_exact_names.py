"""Names are exact, on real traffic: no container has a condition since its id begins as another's name, and `clear` ends all of `set`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from tests.e2e.test_agent_containers import round_trip
from tests.kernel.agent.conftest import RealAgent, condition, real_agent
from tests.support.docker import Docker
from tests.support.rig import until

DELAY_MS = 300.0


@pytest.fixture
def agent(tmp_path: Path, docker: Docker) -> Iterator[RealAgent]:
    with real_agent(tmp_path / "state", DOCKER_HOST=docker.environment["DOCKER_HOST"]) as made:
        yield made


def test_the_id_of_another_begins_as_the_name(agent: RealAgent, docker: Docker) -> None:
    with docker.container() as victim, docker.container() as other, agent.client() as client:
        name = docker.inspect(victim)["Id"][:4]
        with docker.container(name=name):
            client.set([condition(f"docker:{name}", delay=f"{DELAY_MS}ms")])
            assert round_trip(docker, name, other) >= 2 * DELAY_MS
            # Whoever follows has looked at all containers by then.
            docker("restart", "-t0", name)
            until(lambda: [each for each in client.show() if each.in_force], 20, "it has it again")
            assert round_trip(docker, victim, other) < DELAY_MS
            assert [each.target.name for each in client.show()] == [name]
            client.clear([f"docker:{name}"])
            assert client.show() == []


def test_what_was_renamed_is_cleared_too_and_what_is_down_does_not_come_back(agent: RealAgent, docker: Docker) -> None:
    with docker.container() as one, docker.container() as other, agent.client() as client:
        client.set([condition(f"docker:{one}", delay=f"{DELAY_MS}ms")])
        docker("rename", one, f"{one}-old")
        try:
            with docker.container(name=one):
                until(lambda: len([each for each in client.show() if each.in_force]) == 2, 20, "who has the name now has it, too")
                client.clear([f"docker:{one}"])
                assert client.show() == []
                for each in (one, f"{one}-old"):
                    assert round_trip(docker, each, other) < DELAY_MS
                client.set([condition(f"docker:{one}", delay=f"{DELAY_MS}ms")])
                docker("stop", "-t0", one)
                (cleared,) = client.clear([f"docker:{one}"])
                assert cleared.names
                docker("start", one)
                with docker.container(name="nwt-marker"):  # a container that starts later has been seen later
                    client.set([condition("docker:nwt-marker", delay="1ms", name="marker")])
                    docker("restart", "-t0", "nwt-marker")
                    until(lambda: [each for each in client.show() if each.in_force], 20, "what starts is seen")
                assert round_trip(docker, one, other) < DELAY_MS
                client.clear()
        finally:
            docker("rename", f"{one}-old", one, check=False)


def test_a_short_id_is_completed_where_it_is_typed(agent: RealAgent, docker: Docker) -> None:
    with docker.container() as here, docker.container() as there, agent.client() as client:
        whole, peer = (docker.inspect(each)["Id"] for each in (here, there))
        agent.cli("set", f"docker:{whole[:12]}", "--to", f"docker:{peer[:12]}", "--delay", f"{DELAY_MS}ms")
        assert round_trip(docker, here, there) >= 2 * DELAY_MS
        (shown,) = client.show()
        assert shown.condition.targets == (f"docker:{whole}",)
        assert shown.condition.rules[0].match.to == (f"docker:{peer}",)
        for short in (whole[:11], whole[:12]):
            with pytest.raises(NetweatherError) as wrong:
                client.set([condition(f"docker:{short}", delay="1ms")])
            assert (wrong.value.code, whole in wrong.value.why) == ("unknown-target", True)
        agent.cli("clear", f"docker:{whole[:12]}")
        assert client.show() == []
