from __future__ import annotations

import pytest

from netweather.conditions import Delay, LossGemodel, LossList, Match, Slot
from netweather.conditions.language.shortform import plain_of_loss, plain_of_short, short_of_plain
from netweather.errors import UsageError


@pytest.mark.parametrize(
    ("cls", "text", "plain"),
    [
        (LossGemodel, "p=1%,r=10%", {"p": "1%", "r": "10%"}),
        (LossGemodel, "p=1%,r=10%,1-h=80%,1-k=0.1%", {"p": "1%", "r": "10%", "lossInBad": "80%", "lossInGood": "0.1%"}),
        (LossGemodel, "1%,10%", {"p": "1%", "r": "10%"}),
        (LossGemodel, "p=1%,10%,loss-in-bad=80%", {"p": "1%", "r": "10%", "lossInBad": "80%"}),
        (LossList, "3,7,9", {"indices": ["3", "7", "9"]}),
        (Slot, "10ms,20ms", {"minimum": "10ms", "maximum": "20ms"}),
        (Slot, "min=10ms,packets=5", {"minimum": "10ms", "packets": "5"}),
        (Delay, "100ms,20ms,25%,normal", {"time": "100ms", "jitter": "20ms", "correlation": "25%", "distribution": "normal"}),
        (Match, "192.0.2.1,192.0.2.2", {"to": ["192.0.2.1", "192.0.2.2"]}),
        (Match, "port=22,port=80,protocol=tcp", {"ports": ["22", "80"], "protocol": "tcp"}),
        (Match, "docker:label=tier=db", {"to": ["docker:label=tier=db"]}),
        (Match, "tcp-flags=syn+!ack", {"tcpFlags": "syn+!ack"}),
    ],
)
def test_short_forms(cls: type, text: str, plain: dict[str, object]) -> None:
    assert plain_of_short(cls, text, "here") == plain


@pytest.mark.parametrize(
    ("cls", "text", "code"),
    [
        (LossGemodel, "q=1%", "unknown-key"),
        (LossGemodel, "p=1%,p=2%", "duplicate-key"),
        (LossGemodel, "p=", "bad-short-form"),
        (LossGemodel, "p=1%,,r=2%", "bad-short-form"),
        (LossGemodel, "1%,2%,3%,4%,5%", "bad-short-form"),
        (Slot, "", "bad-short-form"),
    ],
)
def test_wrong_short_forms(cls: type, text: str, code: str) -> None:
    with pytest.raises(UsageError) as raised:
        plain_of_short(cls, text, "here")
    assert raised.value.code == code
    assert raised.value.what.startswith("here")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("1%", {"model": "random", "percent": "1%"}),
        ("every:10", {"model": "every", "n": "10"}),
        ("burst:mean=5,share=2%", {"model": "burst", "meanLength": "5", "share": "2%"}),
        ("gemodel:1%", {"model": "gemodel", "p": "1%", "r": "99%"}),
        ("state:p13=1%", {"model": "state", "p13": "1%", "p31": "99%"}),
    ],
)
def test_losses(text: str, plain: dict[str, object]) -> None:
    assert plain_of_loss(text, "here") == plain


@pytest.mark.parametrize(
    ("text", "code"), [("gilbert:1%", "unknown-loss-model"), ("every", "bad-short-form"), ("every:", "bad-short-form")]
)
def test_wrong_losses(text: str, code: str) -> None:
    with pytest.raises(UsageError) as raised:
        plain_of_loss(text, "here")
    assert raised.value.code == code


def test_short_forms_are_written_in_kebab_case() -> None:
    assert short_of_plain({"model": "gemodel", "p": "1%", "lossInBad": "80%"}) == "gemodel:p=1%,loss-in-bad=80%"
    assert short_of_plain({"to": ["192.0.2.1", "192.0.2.2"], "direction": "both"}) == "to=192.0.2.1,to=192.0.2.2,direction=both"
