"""Traffic that is so often to be left alone that it has a name: `--exclude dns`, `exclude: [probes]`.

    dns      names that are looked up, whoever answers: ports 53 (UDP and TCP), 853 (TLS) and 5353 (multicast)
    probes   whatever the host itself exchanges with the target: a kubelet's probes, and those of a load balancer on the host
    ssh      port 22
One that fails: `exclude: [dsn]` (unresolvable-peer, when it is set): other words are peers.
"""

from __future__ import annotations

from typing import Final

from netweather.conditions.match import Match, PortRange

EXCLUSIONS: Final = {
    "dns": Match(ports=(PortRange(53, 53), PortRange(853, 853), PortRange(5353, 5353))),
    "probes": Match(to=("host",)),
    "ssh": Match(ports=(PortRange(22, 22),), protocol="tcp"),
}
