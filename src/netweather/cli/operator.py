"""`netweather operator`: what NetworkConditions of a Kubernetes cluster ask for, told to its nodes. Not here: the operator itself."""

from __future__ import annotations

import importlib
import os

from netweather.cli import pages
from netweather.kubernetes.api import no_extra
from netweather.units import Percent

_EXAMPLES = """
netweather operator
# several of them, of which one leads
netweather operator --lease-namespace netweather
"""


@pages.command("operator", examples=_EXAMPLES)
@pages.option(
    "--lease-namespace",
    metavar="NAMESPACE",
    default="",
    help="the Lease of the one that leads is there; the only operator unless given",
)
@pages.option(
    "--protect", metavar="NAMESPACE", multiple=True, help="no conditions there; kube-system unless given, may be repeated"
)
@pages.option(
    "--most", metavar="PERCENT", default="50%", help="of all pods that one condition may take, beyond the first 10; 50%"
)
def command(*, lease_namespace: str, protect: tuple[str, ...], most: str) -> None:
    """Tells each node of a Kubernetes cluster what the NetworkConditions ask of it, and them what came of it.

    The cluster is that of KUBECONFIG, or of the pod that it runs in. Conditions outlive it, each until its end.
    """
    try:
        # By name: front ends don't import each other, and who has not the extra still has the command line.
        running = importlib.import_module("netweather.operator.running")
    except ModuleNotFoundError as error:
        raise no_extra(error) from error
    policy = running.Policy(protected=frozenset(protect or ["kube-system"]), most=Percent.parse(most))
    running.run(running.Options(policy, f"{os.uname().nodename}-{os.getpid()}", lease_namespace))
