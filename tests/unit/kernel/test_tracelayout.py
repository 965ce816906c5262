"""Python's layout of what tracepoints' programs count, against the compiler's; and the histogram's buckets."""

from __future__ import annotations

import json
import subprocess
from array import array
from pathlib import Path

from netweather.kernel import tracelayout
from tests.support.repository import ROOT
from tests.unit.pump import harness

BPF = sorted((ROOT / "bpf").rglob("*.h"))

PROGRAM = """
#include <stddef.h>
int printf(const char *, ...);
#include "tracing.h"
#include "syscalls/syscalls.h"
#include "tcp/tcp.h"
#include "record/record.h"
#define SIZE(t) printf("\\"%s\\": %zu,", #t, sizeof(struct t))
int main(void) {
  printf("{");
  SIZE(nw_calls); SIZE(nw_process); SIZE(nw_process_key); SIZE(nw_errno_key); SIZE(nw_tcp); SIZE(nw_learnt); SIZE(nw_drop_key);
  printf("\\"first\\": %zu,", offsetof(struct nw_learnt, first));
  printf("\\"times\\": %zu, \\"connect_times\\": %zu, \\"calls\\": %d, \\"buckets\\": %d, \\"of\\": [",
    offsetof(struct nw_calls, times), offsetof(struct nw_tcp, connect_times), NW_CALLS, NW_HISTOGRAM);
  for (int power = 0; power < 45; power++)
    for (int part = 0; part < 40; part++)
      printf("[%llu, %u],", (1ULL << power) + ((1ULL << power) * part) / 40, nw_bucket((1ULL << power) + ((1ULL << power) * part) / 40));
  printf("[0, %u]]}", nw_bucket(0));
}
"""


def test_sizes_offsets_and_buckets_are_the_compiler_s(tmp_path: Path) -> None:
    source = tmp_path / "tracelayout.c"
    source.write_text(PROGRAM)
    quiet = ["-Wno-unknown-pragmas", "-Wno-attributes", "-Wno-ignored-attributes", "-Wno-unused-function"]
    program = harness.build("tracelayout", [*harness.MUSL, "-I", "bpf"], [source], *quiet, headers=BPF)
    found = json.loads(subprocess.run([program], capture_output=True, check=True).stdout)
    assert (found["nw_calls"], found["times"]) == (tracelayout.CALL_SIZE, tracelayout.CALL_HEAD.size)
    assert found["nw_process"] == tracelayout.PROCESS.size
    assert found["nw_process_key"] == tracelayout.PROCESS_KEY.size
    assert found["nw_errno_key"] == tracelayout.ERROR_KEY.size
    assert (found["nw_tcp"], found["connect_times"]) == (tracelayout.TCP_SIZE, 8 * len(tracelayout.TCP_FIELDS))
    assert (found["nw_learnt"], found["first"]) == (tracelayout.LEARNT_SIZE, 8 * tracelayout.LEARNT_HEAD)
    assert found["nw_drop_key"] == tracelayout.DROP_KEY.size
    assert (found["calls"], found["buckets"]) == (len(tracelayout.CALLS), tracelayout.BUCKETS)
    for value, bucket in found["of"]:
        low, high = tracelayout.bounds(bucket)
        assert low <= value < high or (bucket == tracelayout.BUCKETS - 1 and value >= low), (value, bucket, low, high)


def test_buckets_leave_no_gap_and_are_narrow() -> None:
    ends = [tracelayout.bounds(bucket) for bucket in range(tracelayout.BUCKETS)]
    assert [low for low, _ in ends[1:]] == [high for _, high in ends[:-1]]
    assert all((high - low) * 16 <= low for low, high in ends[16:])
    assert ends[-1][1] >= 2**40


def test_values_of_several_cpus_are_added_up() -> None:
    data = array("Q", [1, 0, 5]).tobytes() + array("Q", [2, 7, 0]).tobytes()
    assert list(tracelayout.summed(data, 24)) == [3, 7, 5]


def test_errors_have_their_names() -> None:
    assert [tracelayout.error_name(number) for number in (111, 512, 9999)] == ["ECONNREFUSED", "ERESTARTSYS", "9999"]
    assert [tracelayout.syscall(call) for call in ("sendto", "sendfile")] == ["sendto", "sendfile64"]
