"""kernel/features/probes.py: what doctor says of sockets is what this kernel does."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from netweather.errors import NetweatherError
from netweather.kernel.features.features import ProbeEnvironment, answer, probe
from netweather.kernel.host_info import HostInfo
from netweather.kernel.sockets import sockdiag


@pytest.mark.parametrize(("name", "option"), [("sock-diag", "INET_DIAG"), ("sock-destroy", "INET_DIAG_DESTROY")])
def test_they_agree_with_the_kernels_configuration(name: str, option: str) -> None:
    configuration = HostInfo.here().configuration
    if configuration is None:
        pytest.skip("this kernel doesn't tell its configuration (IKCONFIG)")
    has = configuration.get(option, "n") != "n"
    assert answer(name).state == ("yes" if has else "no"), answer(name)


def test_a_kernel_without_it_says_what_to_do_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(one: sockdiag.Socket) -> None:
        raise NetweatherError("cannot-reset", "this kernel can't", "no option", "set --block reject") from OSError(
            errno.EOPNOTSUPP
        )

    monkeypatch.setattr(sockdiag, "destroy", refused)
    feature = answer("sock-destroy").feature
    bench = ProbeEnvironment(Path("/"), HostInfo.here())
    try:
        found = probe(feature, bench)
    finally:
        bench.close()
    assert (found.state, found.detail) == ("no", "no option")
    assert "--block reject" in found.remedy
