from __future__ import annotations

import os
from typing import Any

from netweather.kernel import finding


def test_a_namespace_is_found_again_by_its_identity(make_lab: Any) -> None:
    with make_lab() as net:
        status = net.client.path.stat()
        with finding.open_namespace(status.st_dev, status.st_ino) as fd:
            assert fd is not None
            assert os.fstat(fd).st_ino == status.st_ino


def test_hints_come_first_but_prove_nothing(make_lab: Any) -> None:
    with make_lab() as net:
        status = net.client.path.stat()
        hints = ("/nonexistent", str(net.server.path), str(net.client.path))
        with finding.open_namespace(status.st_dev, status.st_ino, hints) as fd:
            assert fd is not None
            assert os.fstat(fd).st_ino == status.st_ino


def test_one_that_is_gone_is_not_found() -> None:
    with finding.open_namespace(1, 1) as fd:
        assert fd is None


def test_every_namespace_comes_once(make_lab: Any) -> None:
    with make_lab() as net:
        found = [(dev, ino) for _, dev, ino, _ in finding.every_namespace()]
        assert len(found) == len(set(found))
        assert (net.client.path.stat().st_dev, net.client.path.stat().st_ino) in found
