"""What tracepoints' programs count, read; that the layout is the compiler's: tests/native."""

from __future__ import annotations

from array import array

from netweather.kernel.tracing import trace_layout


def test_buckets_leave_no_gap_and_are_narrow() -> None:
    ends = [trace_layout.bounds(bucket) for bucket in range(trace_layout.BUCKETS)]
    assert [low for low, _ in ends[1:]] == [high for _, high in ends[:-1]]
    assert all((high - low) * 16 <= low for low, high in ends[16:])
    assert ends[-1][1] >= 2**40


def test_values_of_several_cpus_are_added_up() -> None:
    data = array("Q", [1, 0, 5]).tobytes() + array("Q", [2, 7, 0]).tobytes()
    assert list(trace_layout.summed(data, 24)) == [3, 7, 5]


def test_errors_have_their_names() -> None:
    assert [trace_layout.error_name(number) for number in (111, 512, 9999)] == ["ECONNREFUSED", "ERESTARTSYS", "9999"]
    assert [trace_layout.syscall(call) for call in ("sendto", "sendfile")] == ["sendto", "sendfile64"]
