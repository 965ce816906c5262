"""What goes into the pump's parameters comes out; that the layout is the compiler's: tests/native."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.lines import params as p

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
I64 = st.integers(-(2**63), 2**63 - 1)
TABLE = st.sampled_from([(), tuple(range(4096)), tuple(-n for n in range(4096))])


@given(
    st.builds(
        p.LineParams,
        seed=st.none() | U64,
        delay_ns=I64,
        jitter_ns=I64,
        delay_table=TABLE,
        slot_table=TABLE,
        keep_order=st.booleans(),
        loss_model=st.sampled_from(p.LossModel),
        loss_a=st.tuples(U64, U64, U64, U64, U64),
        losses=st.lists(U32, max_size=1024).map(tuple),
        overhead=st.integers(-(2**31), 2**31 - 1),
        policy=st.sampled_from(p.QueuePolicy),
        rate_bps=U64,
        trace=st.binary(max_size=100),
    )
)
def test_round_trip(params: p.LineParams) -> None:
    block = params.pack()
    assert len(block) == p.PARAMS_SIZE
    assert p.LineParams.unpack(block, params.tables()) == params


def test_a_damaged_block_is_noticed() -> None:
    block = bytearray(p.LineParams(delay_ns=5).pack())
    block[100] ^= 1
    with pytest.raises(ValueError, match="not a parameter block"):
        p.LineParams.unpack(bytes(block))


@pytest.mark.parametrize("params", [p.LineParams(delay_table=(1, 2)), p.LineParams(losses=tuple(range(1025)))])
def test_what_does_not_fit_is_refused(params: p.LineParams) -> None:
    with pytest.raises(ValueError, match=r"entries|packets"):
        params.pack()
