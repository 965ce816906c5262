from __future__ import annotations

import pytest

from netweather.errors import NetweatherError
from netweather.targets import ids

ID = "0123456789ab" * 5 + "cdef"


@pytest.mark.parametrize(
    ("word", "name", "named"),
    [
        ("db", "db", True),
        ("db", "dbase", False),
        ("0123456789ab", "other", False),
        ("0123456789ab", "0123456789ab", True),
        (ID, "other", True),
        (ID[:-1], "other", False),
        ("f" * 64, "f" * 64, False),
    ],
)
def test_what_a_word_means(word: str, name: str, named: bool) -> None:
    assert ids.means(word, ID, name) is named


def test_a_beginning_has_12_to_63_hex_digits() -> None:
    assert [ids.is_beginning(ID[:count]) for count in (11, 12, 63, 64)] == [False, True, True, False]
    assert not ids.is_beginning("0123456789AB")
    assert not ids.is_beginning("shop-api-web")


def test_only_one_id_is_completed() -> None:
    assert ids.complete(ID[:12], [ID, ID, "f" * 64]) == ID
    assert ids.complete(ID[:11], [ID]) is None
    assert ids.complete(ID[:12], ["f" * 64]) is None
    with pytest.raises(NetweatherError) as wrong:
        ids.complete(ID[:12], [ID, ID[:12] + "f" * 52])
    assert (wrong.value.code, ID in wrong.value.why) == ("ambiguous-target", True)


def test_what_begins_so_is_named_in_full() -> None:
    (error, none) = (ids.unknown("there is no 'x'", word, [ID, "f" * 64], "docker:{}") for word in ("01", "db"))
    assert none is None
    assert error is not None
    assert (error.code, ID in error.why, f"docker:{ID}" in error.remedy) == ("unknown-target", True, True)
    several = ids.unknown("there is no 'x'", "f", [f"f{number:063x}" for number in range(9)], "docker:{}")
    assert several is not None
    assert several.why.count("f0") == 6
