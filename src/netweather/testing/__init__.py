"""Bad networks for tests, of any kind: conditions that last as long as what they are for, with the evidence for it.

The pytest plugin and the commands that run other programs stand on this; Python programs may use it directly:
`with Network("my test").degrade("docker:db", delay="2s", loss="3%"): …`. Not here: what the kernel does (engine).
"""

from netweather.reports.network_evidence import Evidence
from netweather.testing.labs.lab import Lab
from netweather.testing.network import Degraded, Network, Parted

__all__ = ["Degraded", "Evidence", "Lab", "Network", "Parted"]
