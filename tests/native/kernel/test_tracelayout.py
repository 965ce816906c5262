"""Python's layout of what tracepoints' programs count, against the compiler's; and the histogram's buckets."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from netweather.kernel.tracing import trace_layout
from tests.native.pump import harness
from tests.support.repository import ROOT

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
    assert (found["nw_calls"], found["times"]) == (trace_layout.CALL_SIZE, trace_layout.CALL_HEAD.size)
    assert found["nw_process"] == trace_layout.PROCESS.size
    assert found["nw_process_key"] == trace_layout.PROCESS_KEY.size
    assert found["nw_errno_key"] == trace_layout.ERROR_KEY.size
    assert (found["nw_tcp"], found["connect_times"]) == (trace_layout.TCP_SIZE, 8 * len(trace_layout.TCP_FIELDS))
    assert (found["nw_learnt"], found["first"]) == (trace_layout.LEARNT_SIZE, 8 * trace_layout.LEARNT_HEAD)
    assert found["nw_drop_key"] == trace_layout.DROP_KEY.size
    assert (found["calls"], found["buckets"]) == (len(trace_layout.CALLS), trace_layout.BUCKETS)
    for value, bucket in found["of"]:
        low, high = trace_layout.bounds(bucket)
        assert low <= value < high or (bucket == trace_layout.BUCKETS - 1 and value >= low), (value, bucket, low, high)
