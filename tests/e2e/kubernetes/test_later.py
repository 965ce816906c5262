"""How soon a pod that comes later has the condition of its selector: measured by its own first connections.

pytest --full -s tests/e2e/kubernetes/test_later.py     # prints the figures that docs/bench.md has
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator

import pytest

from tests.cluster.node import Cluster
from tests.support.rig import until
from tests.support.shop import Shop, shop

pytestmark = [pytest.mark.full, pytest.mark.serial, pytest.mark.timeout(400)]
ALONE, AT_ONCE = 6, 9
"""With the client that is there they are ten: more than half of so small a cluster would be refused (netweather operator --most)."""
LOOKS = """
import os, socket, time
begin = time.monotonic()
while time.monotonic() < begin + 20:
    at = time.monotonic()
    socket.create_connection((os.environ["SERVER_SERVICE_HOST"], 80), 5).close()
    if time.monotonic() - at >= 0.2:
        break
    time.sleep(0.01)
print(at - begin)
"""
"""How long after its start a container's first connection is slow: the time of its own network as it was."""


@pytest.fixture
def app(kubernetes: Cluster) -> Iterator[Shop]:
    with shop(kubernetes, clients=1, servers=1) as made:
        made.condition(lease="30m")
        made.in_force(pods=1)
        yield made


def test_pods_that_come_later_have_it_within_two_seconds(app: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    image = app.cluster.get("-n", "netweather", "daemonset", "agent")["spec"]["template"]["spec"]["containers"][0]["image"]
    alone = [seconds for number in range(ALONE) for seconds in started(app, image, [f"alone-{number}"])]
    together = started(app, image, [f"together-{number}" for number in range(AT_ONCE)])
    with capsys.disabled():
        for name, found in (("alone", alone), (f"{AT_ONCE} at once", together)):
            print(
                f"\n{name}: {statistics.median(found):.2f} s ({min(found):.2f} to {max(found):.2f}) after their containers' start"
            )
    assert max(alone + together) < 2


def started(app: Shop, image: str, names: list[str]) -> list[float]:
    """Seconds until each of these new pods has it."""
    container = {"name": "app", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["python3", "-c", LOOKS]}
    spec = {"restartPolicy": "Never", "containers": [container]}
    metadata = [{"name": name, "namespace": app.namespace, "labels": {"app": "client"}} for name in names]
    app.cluster.apply(*({"apiVersion": "v1", "kind": "Pod", "metadata": each, "spec": spec} for each in metadata))

    def phases() -> set[str]:
        found = json.loads(app.kubectl("get", "pods", "-o", "json"))["items"]
        return {each["status"].get("phase", "") for each in found if each["metadata"]["name"] in names}

    until(lambda: phases() == {"Succeeded"}, 90, f"{', '.join(names)} have looked")
    return [float(app.kubectl("logs", name)) for name in names]
