"""`netweather operator`: what NetworkConditions of a Kubernetes cluster ask for, told to its nodes. Not here: the operator itself."""

from __future__ import annotations

import importlib
import os

from netweather.cli import command_factory
from netweather.kubernetes.server.api import no_extra
from netweather.units import Percent

_EXAMPLES = """
netweather operator
# several operators with leader election
netweather operator --lease-namespace netweather
"""


@command_factory.command("operator", examples=_EXAMPLES)
@command_factory.option(
    "--lease-namespace",
    metavar="NAMESPACE",
    default="",
    help="namespace of the Lease for leader election; default: no election, for a single operator",
)
@command_factory.option(
    "--protect", metavar="NAMESPACE", multiple=True, help="refuse conditions in this namespace (default: kube-system); repeatable"
)
@command_factory.option(
    "--most",
    metavar="PERCENT",
    default="50%",
    help="largest share of the cluster's pods that one condition may affect (default: 50%); 10 pods are always allowed",
)
def command(*, lease_namespace: str, protect: tuple[str, ...], most: str) -> None:
    """Runs the Kubernetes operator: it distributes NetworkConditions to the nodes and writes the results into their status.

    It uses the cluster of KUBECONFIG, or of the pod that it runs in. Conditions stay in force when the operator stops; each
    ends at its own deadline.
    """
    try:
        # By name: front ends don't import each other, and who has not the extra still has the command line.
        running = importlib.import_module("netweather.operator.running")
    except ModuleNotFoundError as error:
        raise no_extra(error) from error
    policy = running.PodPolicy(protected=frozenset(protect or ["kube-system"]), most=Percent.parse(most))
    running.run(running.Options(policy, f"{os.uname().nodename}-{os.getpid()}", lease_namespace))
