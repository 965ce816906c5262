"""Python's layout of the pump's file and messages is that of pump/params.h and pump/control.h."""

from __future__ import annotations

import json
import subprocess
import zlib
from pathlib import Path

import pytest

from netweather.kernel.datapath import pump_file as seam
from netweather.lines import params as p
from netweather.lines import traces
from tests.native.pump import harness
from tests.native.pump.core import library

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
    **{f"NW_{flag.name}": flag.value for flag in p.ParameterFlag},
    **{f"NW_LOSS_{model.name}": model.value for model in p.LossModel},
    **{f"NW_{policy.name}": policy.value for policy in p.QueuePolicy},
    **{f"NW_{state.name}": state.value for state in p.LineState},
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


def test_crc_is_zlibs() -> None:
    data = bytes(range(256)) * 9
    assert library().nwt_crc32(data, len(data)) == zlib.crc32(data)
