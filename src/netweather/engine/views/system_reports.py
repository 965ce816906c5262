"""What this kernel and host can do, as `doctor` reports it. Not here: the probes (kernel.features), words and JSON (front ends, wire)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from netweather.kernel.features.features import Finding
    from netweather.kernel.host_info import HostInfo


@dataclass(frozen=True)
class KernelReport:
    """Whether Netweather works here, and which engine `auto` uses, with the reason."""

    works: bool
    host: HostInfo
    engine: str
    why: str
    findings: Sequence[Finding]

    @classmethod
    def here(cls, findings: list[Finding]) -> Self:
        """The report of what probes found on this machine."""
        from netweather.kernel.features.features import works
        from netweather.kernel.host_info import HostInfo

        return cls(works(findings), HostInfo.here(), *lines_by(findings), findings)


def lines_by(findings: list[Finding]) -> tuple[str, str]:
    """Which engine `auto` takes here, and what for: ('netem', …) or ('pump', …)."""
    from netweather.engine.engine_choice import PUMP_ONLY

    found = {finding.feature.name: finding for finding in findings}
    netem, seeds = found.get("netem"), found.get("netem-seed")
    if netem is None or netem.state != "yes":
        return "pump", "Netweather's pump makes all emulated links, without netem" + (f" ({netem.detail})" if netem else "")
    seeded = () if seeds and seeds.state == "yes" else ("--seed (netem takes one from Linux 6.6 on)",)
    return "netem", f"netem makes the emulated links; the pump makes those with {', '.join((*PUMP_ONLY, *seeded))}"
