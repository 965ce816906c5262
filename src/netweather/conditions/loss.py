"""The loss models: which packets never arrive. Terms and meanings are tc-netem's, as far as it has them.

Random, Gemodel and State are netem's own; Burst is Gemodel by what people measure; Every and List are exact, for tests.
Each has MODEL, its name in the language. Not here: drawing the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from netweather.conditions.declare import about
from netweather.units import MeanLength, Percent

NEVER: Final = Percent(0)
ALWAYS: Final = Percent(10**9)


@dataclass(frozen=True, slots=True)
class LossRandom:
    """Each packet is lost with the same probability, independently unless correlated."""

    MODEL: ClassVar[str] = "random"
    percent: Percent = field(metadata=about("share of packets lost", unit="percent", example="1%"))
    correlation: Percent = field(
        default=NEVER, metadata=about("correlation with the packet before", unit="percent", example="25%")
    )


@dataclass(frozen=True, slots=True)
class LossGemodel:
    """Gilbert-Elliott model: two states, good and bad, each with its own loss. `--loss-model` also accepts tc's names 1-h and 1-k.

    Mean loss: (p × loss_in_bad + r × loss_in_good) / (p + r).
    """

    MODEL: ClassVar[str] = "gemodel"
    p: Percent = field(metadata=about("probability per packet to change from good to bad", unit="percent", example="1%"))
    r: Percent = field(metadata=about("probability per packet to change from bad to good", unit="percent", example="10%"))
    loss_in_bad: Percent = field(
        default=ALWAYS,
        metadata=about("share of packets lost in the bad state (tc: 1-h)", unit="percent", example="80%", aliases=("1-h",)),
    )
    loss_in_good: Percent = field(
        default=NEVER,
        metadata=about("share of packets lost in the good state (tc: 1-k)", unit="percent", example="0.1%", aliases=("1-k",)),
    )


@dataclass(frozen=True, slots=True)
class LossState:
    """netem's four-state Markov model: 1 good, 2 received within a burst, 3 lost within a burst, 4 lost alone."""

    MODEL: ClassVar[str] = "state"
    p13: Percent = field(metadata=about("probability to change from good to lost within a burst", unit="percent", example="1%"))
    p31: Percent = field(metadata=about("probability to change from lost within a burst to good", unit="percent", example="10%"))
    p32: Percent = field(
        default=NEVER, metadata=about("probability to change from lost to received within a burst", unit="percent", example="5%")
    )
    p23: Percent = field(
        default=ALWAYS,
        metadata=about("probability to change from received to lost within a burst", unit="percent", example="50%"),
    )
    p14: Percent = field(
        default=NEVER, metadata=about("probability that a packet in the good state is lost alone", unit="percent", example="1%")
    )


@dataclass(frozen=True, slots=True)
class LossBurst:
    """Losses in bursts, given by two figures of a measurement: the mean length of a burst and the overall loss."""

    MODEL: ClassVar[str] = "burst"
    mean_length: MeanLength = field(
        metadata=about("mean number of packets lost in a row", unit="packets", example="5", aliases=("mean",))
    )
    share: Percent = field(metadata=about("share of all packets lost", unit="percent", example="2%"))

    def as_gemodel(self) -> LossGemodel:
        """The same as transition probabilities: r = 1/length, p = r × share / (1 - share), each to the nearest 10^-9.

        Only for a share that `length / (length + 1)` bounds, which validation sees to: p would be above 100 %.
        """
        length, share = self.mean_length.thousandths, self.share.ppb
        p = (1000 * share * 10**9 * 2 + length * (10**9 - share)) // (2 * length * (10**9 - share))
        return LossGemodel(p=Percent(p), r=Percent((1000 * 10**9 * 2 + length) // (2 * length)))


@dataclass(frozen=True, slots=True)
class LossEvery:
    """Every Nth packet is lost."""

    MODEL: ClassVar[str] = "every"
    n: int = field(metadata=about("every Nth packet is lost", unit="packets", example="10", minimum=1, maximum=2**32 - 1))


@dataclass(frozen=True, slots=True)
class LossList:
    """Only the listed packets are lost. The first packet after the condition was set has number 1."""

    MODEL: ClassVar[str] = "list"
    indices: tuple[int, ...] = field(
        metadata=about("numbers of the packets lost", unit="packet numbers", example="3,7,9", minimum=1, maximum=2**32 - 1)
    )


Loss = LossRandom | LossGemodel | LossState | LossBurst | LossEvery | LossList
LOSS_MODELS: Final[dict[str, type[Loss]]] = {
    cls.MODEL: cls for cls in (LossRandom, LossGemodel, LossState, LossBurst, LossEvery, LossList)
}
