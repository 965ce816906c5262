"""The layout is that of pump/params.h, and what goes in comes out."""

from __future__ import annotations

import json
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.kernel import pump_params as seam
from netweather.lines import params as p
from netweather.lines import traces
from tests.unit.pump import harness

SIZES = {
    "params": "sizeof(struct nw_params)",
    "stats": "sizeof(struct nw_stats)",
    "header": "sizeof(struct nw_header)",
    "block": "sizeof(struct nw_block)",
    "file": "sizeof(struct nw_file)",
    "trace_header": "sizeof(struct nw_trace_header)",
    "trace_row": "sizeof(struct nw_trace_row)",
    "request": "sizeof(struct nw_request)",
    "reply": "sizeof(struct nw_reply)",
    "lines": "NW_LINES",
    "table": "NW_TABLE",
    "list": "NW_LIST",
    "trace_room": "NW_TRACE_ROOM",
    "histogram": "NW_HISTOGRAM",
    "magic": "NW_PARAMS_MAGIC",
    "version": "NW_PARAMS_VERSION",
    "trace_magic": "NW_TRACE_MAGIC",
    "control_magic": "NW_CONTROL_MAGIC",
    "one": "NW_ONE",
}
HEADER_WORDS = (
    "deadline_boot_ns",
    "drain_ns",
    "memory_limit",
    "boot_offset_ns",
    "pump_pid",
    "pump_state",
    "started_boot_ns",
    "memory_used",
    "memory_peak",
)
ENUMS = {
    **{f"NW_{flag.name}": flag.value for flag in p.Flag},
    **{f"NW_LOSS_{model.name}": model.value for model in p.LossModel},
    **{f"NW_{policy.name}": policy.value for policy in p.Policy},
    **{f"NW_{state.name}": state.value for state in p.State},
    **{f"NW_CONFIG_{error.name}": error.value for error in p.ConfigError},
    "NW_TRACE_OPPORTUNITIES": traces.OPPORTUNITIES,
    "NW_TRACE_TABLE": traces.TABLE,
    "NW_HAS_DELAY": traces.HAS_DELAY,
    "NW_HAS_LOSS": traces.HAS_LOSS,
    "NW_HAS_RATE": traces.HAS_RATE,
}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What the C compiler says."""
    wanted = {**SIZES, **{name: name for name in ENUMS}}
    for struct, names in (
        ("params", ["generation", "crc", *p.PARAMS_OFFSETS]),
        ("stats", [*p.STATS_OFFSETS]),
        ("header", HEADER_WORDS),
        ("block", ["params", "stats", "delay_table", "slot_table", "list"]),
    ):
        wanted |= {f"{struct}.{name}": f"offsetof(struct nw_{struct}, {name})" for name in names}
    lines = "".join(f'printf("\\"{key}\\": %llu,\\n", (unsigned long long)({value}));\n' for key, value in wanted.items())
    source = tmp_path_factory.mktemp("layout") / "layout.c"
    text = f'#include "control.h"\n#include "params.h"\n#include <stddef.h>\n#include <stdio.h>\nint main(void)\n{{\n{lines}return 0;\n}}\n'
    source.write_text(text)
    binary: Path = harness.build("layout", harness.MUSL, [source])
    found = subprocess.run([str(binary)], capture_output=True, text=True, check=True).stdout
    return dict(json.loads("{" + found.rstrip(",\n") + "}"))


def test_sizes(layout: dict[str, int]) -> None:
    assert layout["params"] == p.PARAMS_SIZE == seam.PARAMS_SIZE
    assert layout["stats"] == p.STATS_SIZE == seam.STATS_SIZE
    assert layout["header"] == seam.HEADER_SIZE
    assert layout["block"] == seam.BLOCK_SIZE
    assert layout["file"] == seam.FILE_SIZE
    assert layout["lines"] == p.LINES == seam.LINES
    assert (layout["table"], layout["list"]) == (p.TABLE_SIZE, p.LIST_SIZE)
    assert (layout["trace_header"], layout["trace_row"]) == (traces.HEADER.size, traces.ROW.size)
    assert layout["trace_room"] == seam.TRACE_ROOM == traces.BYTES_MAX
    assert (layout["request"], layout["reply"]) == (harness.REQUEST.size, harness.REPLY.size)
    assert layout["histogram"] == p.HISTOGRAM
    assert layout["one"] == p.ONE == traces.ONE


def test_magic(layout: dict[str, int]) -> None:
    assert (layout["magic"], layout["version"]) == (seam.MAGIC, seam.VERSION)
    assert (layout["trace_magic"], layout["control_magic"]) == (traces.MAGIC, harness.MAGIC)


def test_offsets(layout: dict[str, int]) -> None:
    assert {name: layout[f"params.{name}"] for name in p.PARAMS_OFFSETS} == p.PARAMS_OFFSETS
    assert {name: layout[f"stats.{name}"] for name in p.STATS_OFFSETS} == p.STATS_OFFSETS
    assert (layout["params.generation"], layout["params.crc"]) == (0, 8)


def test_offsets_of_the_seam(layout: dict[str, int]) -> None:
    words = (
        seam.DEADLINE,
        seam.DRAIN,
        seam.MEMORY_LIMIT,
        seam.BOOT_OFFSET,
        seam.PUMP_PID,
        seam.PUMP_STATE,
        seam.STARTED,
        seam.MEMORY_USED,
        seam.MEMORY_PEAK,
    )
    assert tuple(layout[f"header.{name}"] for name in HEADER_WORDS) == words
    assert (layout["block.params"], layout["block.stats"]) == (0, seam.PARAMS_SIZE)
    assert {name: layout[f"block.{name}"] for name in ("delay_table", "slot_table", "list")} == {
        "delay_table": seam.TABLES["delay"][0],
        "slot_table": seam.TABLES["slot"][0],
        "list": seam.TABLES["list"][0],
    }


def test_enums(layout: dict[str, int]) -> None:
    assert {name: layout[name] for name in ENUMS} == ENUMS


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
        policy=st.sampled_from(p.Policy),
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


def test_crc_is_zlibs() -> None:
    from tests.unit.pump.core import library

    data = bytes(range(256)) * 9
    assert library().nwt_crc32(data, len(data)) == zlib.crc32(data)
