"""`netweather operator`: what NetworkConditions of a Kubernetes cluster ask for, told to its nodes. Not here: the operator itself."""

from __future__ import annotations

import importlib
import os
from typing import Annotated, Any

from netweather.cli import pages
from netweather.cli.options import option
from netweather.kubernetes.api import no_extra
from netweather.units import Percent

_EXAMPLES = """
netweather operator
# several of them, of which one leads
netweather operator --lease-namespace netweather
"""


def _operator(
    *,
    lease_namespace: Annotated[
        str, option("lease-namespace", "NAMESPACE", "the Lease of the one that leads is there; the only operator unless given")
    ] = "",
    protect: Annotated[
        list[str] | None, option("protect", "NAMESPACE", "no conditions there; kube-system unless given, may be repeated")
    ] = None,
    most: Annotated[str, option("most", "PERCENT", "of all pods that one condition may take, beyond the first 10; 50%")] = "50%",
) -> None:
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


def command() -> Any:
    """The Typer command."""
    return pages.command(_operator, name="operator", examples=_EXAMPLES)
