from __future__ import annotations

import pytest

from netweather.errors import NetweatherError
from netweather.kernel.datapath.classifier import Classifier
from netweather.kernel.datapath.classifier_pool import ROOMS, Spares
from netweather.kernel.datapath.spec import Room
from netweather.kernel.waiting import until


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Room]:
    """The rooms for which a classifier was really loaded."""
    rooms: list[Room] = []
    load = Classifier.load

    def counted(room: Room, kept: Classifier | None = None) -> Classifier:
        rooms.append(room)
        return load(room, kept)

    monkeypatch.setattr(Classifier, "load", counted)
    return rooms


def test_a_spare_is_taken_and_replaced(loaded: list[Room]) -> None:
    spares = Spares(ROOMS[:1])
    spares.fill()
    assert until(lambda: len(spares._ready) == 1, 5)
    ready = spares._ready[ROOMS[0]]
    taken = spares.load(ROOMS[0])
    assert taken is ready
    assert (taken.whole, taken.room, taken.digest) == (True, ROOMS[0], 0)
    assert until(lambda: len(spares._ready) == 1, 5)
    assert spares._ready[ROOMS[0]] is not taken
    assert loaded == [ROOMS[0]] * 2
    taken.close()
    spares.close()
    assert not spares._ready


def test_what_there_is_no_spare_for_is_loaded(loaded: list[Room]) -> None:
    spares = Spares(())
    larger = spares.load(Room(128, 64, 1))
    after = spares.load(ROOMS[0], larger)
    assert loaded == [Room(128, 64, 1), ROOMS[0]]
    larger.close()
    after.close()
    spares.close()


def test_a_spare_that_cannot_be_loaded_is_only_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(room: Room, kept: Classifier | None = None) -> Classifier:
        raise NetweatherError("bpf-refused", "no")

    monkeypatch.setattr(Classifier, "load", refuse)
    spares = Spares()
    spares.fill()
    spares.close()
    assert not spares._ready
