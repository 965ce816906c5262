from __future__ import annotations

import builtins
from typing import Any

import pytest

from netweather.errors import NetweatherError
from netweather.targets.runtimes import _grpc
from netweather.targets.runtimes._criapi import CriApi
from tests.unit.targets.fake_cri import Runtime

TABLE = _grpc.PAIR | {"Inner": "number:1:uint32", "Outer": "name:1 inner:3:Inner* labels:4:Pair* flag:5:bool"}


def test_a_table_becomes_messages_that_survive_the_wire() -> None:
    made = _grpc.compiled("test.v1", TABLE)
    outer = made["Outer"](name="x", inner=[made["Inner"](number=300)], labels=[made["Pair"](key="a", value="b")], flag=True)
    # By hand: field 1 bytes "x"; field 3 a message with field 1 varint 300; field 4 a map's entry; field 5 varint 1.
    assert outer.SerializeToString() == b"\x0a\x01x\x1a\x03\x08\xac\x02\x22\x06\x0a\x01a\x12\x01b\x28\x01"
    assert made["Outer"].FromString(outer.SerializeToString()) == outer


def test_fields_that_the_table_does_not_have_are_skipped() -> None:
    wide, narrow = _grpc.compiled("test.wide", {"M": "a:1 b:2"}), _grpc.compiled("test.narrow", {"M": "b:2"})
    assert narrow["M"].FromString(wide["M"](a="x", b="y").SerializeToString()).b == "y"


def test_a_table_with_an_unknown_type_is_refused() -> None:
    with pytest.raises((TypeError, ValueError)):
        _grpc.compiled("test.bad", {"M": "a:1:Nobody*"})


def test_without_grpcio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "grpc":
            raise ImportError(name)
        return usual(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NetweatherError) as caught:
        _grpc.compiled("test.none", {})
    assert (caught.value.code, "netweather[cri]" in caught.value.remedy) == ("no-grpc", True)


def test_a_stream_that_was_closed_before_it_began_is_empty(cri: Runtime) -> None:
    stream = CriApi.from_environment().events()
    stream.close()
    assert list(stream) == []
