"""The file a pump shares: what is written is held, whoever opens it next. Its layout: tests/unit/lines/test_params.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from netweather.kernel.datapath import pump_file as seam
from netweather.lines import params as p


def test_file_holds_what_was_written() -> None:
    params = p.LineParams(seed=1, delay_ns=7, delay_table=tuple(range(4096)), losses=(3, 4), trace=b"trace")
    with seam.ParamsFile.anonymous() as file:
        generation = file.write_line(5, params.pack(), params.tables())
        assert generation == 2
        assert file.write_line(5, params.pack(), params.tables()) == 4
        assert p.LineParams.unpack(file.parameters(5), params.tables()) == params
        assert file.parameters(4) == bytes(seam.PARAMS_SIZE)


def test_a_writer_that_died_half_way_is_overcome() -> None:
    with seam.ParamsFile.anonymous() as file:
        file._put(seam.HEADER_SIZE, 7)
        assert file.write_line(0, p.LineParams().pack(), {}) == 8


def test_file_at_a_path_survives_its_opener(tmp_path: Path) -> None:
    with seam.ParamsFile(tmp_path / "params") as file:
        file.write_line(239, p.LineParams(delay_ns=9).pack(), {})
        file.set_deadline(12345)
    with seam.ParamsFile(tmp_path / "params") as file:
        assert p.LineParams.unpack(file.parameters(239)).delay_ns == 9
        assert file.word(seam.DEADLINE) == 12345


@pytest.mark.parametrize("line", [-1, 240])
def test_lines_are_0_to_239(line: int) -> None:
    with seam.ParamsFile.anonymous() as file, pytest.raises(ValueError, match="0 to 239"):
        file.write_line(line, p.LineParams().pack(), {})


def test_statistics_of_a_line_that_never_was() -> None:
    with seam.ParamsFile.anonymous() as file:
        stats = p.LineStats.unpack(file.statistics(3))
        assert stats.state is p.LineState.ABSENT
        assert (stats.unwanted, stats.dropped) == (0, 0)
        assert not file.held(3)
        assert file.unwanted(3) == 0


def test_what_does_not_fit_is_refused() -> None:
    with seam.ParamsFile.anonymous() as file:
        with pytest.raises(ValueError, match="2048 bytes"):
            file.write_line(0, b"short", {})
        with pytest.raises(ValueError, match="table list"):
            file.write_line(0, p.LineParams().pack(), {"list": bytes(4100)})
        with pytest.raises(ValueError, match="trace"):
            file.write_line(0, p.LineParams().pack(), {"trace": bytes(seam.TRACE_ROOM + 1)})
