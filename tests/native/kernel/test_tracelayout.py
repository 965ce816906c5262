"""Python's layout of what tracepoints' programs count, against the compiler's; and the histogram's buckets."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from netweather.kernel import tracelayout
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
