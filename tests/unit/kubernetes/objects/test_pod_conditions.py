import pytest

from netweather.errors import UsageError
from netweather.kubernetes.objects.pod_conditions import Expression, LabelSelector, PodPeer, PodTarget
from netweather.units import Percent


def test_a_selector_without_requirements_is_everything() -> None:
    assert LabelSelector().matches({})
    assert LabelSelector().matches({"app": "shop"})


def test_every_requirement_must_hold() -> None:
    selector = LabelSelector({"app": "shop"}, (Expression("tier", "In", ("web", "api")),))
    assert selector.matches({"app": "shop", "tier": "api", "more": "1"})
    assert not selector.matches({"app": "shop", "tier": "db"})
    assert not selector.matches({"tier": "api"})


@pytest.mark.parametrize(
    ("operator", "values", "labels", "holds"),
    [
        ("In", ("a",), {}, False),
        ("NotIn", ("a",), {}, True),  # as Kubernetes has it: without the key it is in none of them
        ("NotIn", ("a",), {"key": "a"}, False),
        ("Exists", (), {"key": ""}, True),
        ("Exists", (), {}, False),
        ("DoesNotExist", (), {}, True),
        ("DoesNotExist", (), {"key": "a"}, False),
    ],
)
def test_expressions_mean_what_kubernetes_means(
    operator: str, values: tuple[str, ...], labels: dict[str, str], holds: bool
) -> None:
    assert Expression("key", operator, values).holds(labels) is holds


@pytest.mark.parametrize("fields", [{}, {"workload": "deployment/shop", "count": 1, "share": Percent.parse("5%")}])
def test_a_target_that_is_none_or_two_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        PodTarget(**fields)
    assert caught.value.code == "bad-pod-target"


@pytest.mark.parametrize("fields", [{}, {"service": "db", "cidr": "192.0.2.0/24"}, {"namespace": "other", "dns": "db.example"}])
def test_a_peer_is_of_one_kind(fields: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        PodPeer(**fields)
    assert caught.value.code == "bad-peer"
