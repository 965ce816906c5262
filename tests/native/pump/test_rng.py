"""Random numbers: the same on every machine, for ever. A seed in a bug report must mean the same packets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.native.pump.core import library

MASK = 2**64 - 1


def splitmix(x: int) -> tuple[int, int]:
    x = (x + 0x9E3779B97F4A7C15) & MASK
    z = x
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return x, z ^ (z >> 31)


def rotl(x: int, k: int) -> int:
    return ((x << k) | (x >> (64 - k))) & MASK


class Model:
    """xoshiro256** and netem's correlated draw, written again."""

    def __init__(self, seed: int, stream: int) -> None:
        _, mixed = splitmix(seed)
        x = (mixed + stream * 0xDA942042E4DD58B5) & MASK
        self.s = []
        for _ in range(4):
            x, value = splitmix(x)
            self.s.append(value)
        self.last = self.draw()

    def draw(self) -> int:
        s = self.s
        result = (rotl((s[1] * 5) & MASK, 7) * 9) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 45)
        return result >> 32

    def correlated(self, rho: int) -> int:
        value = self.draw()
        if not rho:
            return value
        self.last = (value * (2**32 - rho - 1) + self.last * (rho + 1)) >> 32
        return self.last


def draws(seed: int, stream: int, rho: int, count: int) -> list[int]:
    out = np.zeros(count, dtype="<u4")
    library().nwt_draws(seed, stream, rho, out.ctypes.data, count)
    return [int(v) for v in out]


@pytest.mark.parametrize("rho", [0, 1, 2**30, 2**31, 2**32 - 1])
@pytest.mark.parametrize(("seed", "stream"), [(0, 1), (7, 1), (7, 2), (2**64 - 1, 8)])
def test_like_the_model(seed: int, stream: int, rho: int) -> None:
    model = Model(seed, stream)
    assert draws(seed, stream, rho, 200) == [model.correlated(rho) for _ in range(200)]


def test_the_numbers_never_change() -> None:
    assert draws(7, 1, 0, 4) == [2508570240, 1177548215, 1641185386, 666466116]


def test_streams_are_independent() -> None:
    a, b = (np.array(draws(7, stream, 0, 50_000), dtype=float) for stream in (1, 2))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.02
    assert stats.kstest(a / 2**32, "uniform").pvalue > 1e-6
