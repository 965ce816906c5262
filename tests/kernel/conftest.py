"""Rigs: a lab whose client is the target of an engine with its own state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support import rig as rigs
from tests.support.netns import lab

# A lab's set-up must not be counted to the test.
MakeRig = Callable[..., AbstractContextManager[rigs.Rig]]


@pytest.fixture
def make_rig(tmp_path: Path) -> MakeRig:
    """`with make_rig(bystander=True, hook="clsact") as rig:`"""
    return lambda **options: rigs.rig(tmp_path / "state", **options)


@pytest.fixture
def rig(make_rig: MakeRig) -> Iterator[rigs.Rig]:
    with make_rig() as made:
        yield made


@pytest.fixture(scope="module")
def shared_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rigs.Rig]:
    """One rig for all tests of a file; each sets what it wants in place of what was there."""
    with lab() as net:
        made = rigs.Rig(net, tmp_path_factory.mktemp("state"))
        try:
            yield made
        finally:
            made.close()
