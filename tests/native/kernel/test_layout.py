"""Python's layout of the classifier's structures against the compiler's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from netweather.kernel.datapath import classifier_layout
from netweather.kernel.datapath.spec import MAX_INTERFACES, MAX_LEASES, MAX_LINES, MAX_RULES, Action
from tests.native.pump import harness
from tests.support.repository import ROOT

BPF = sorted((ROOT / "bpf").rglob("*.h"))

PROGRAM = """
#include <stddef.h>
int printf(const char *, ...);
#define __u8 unsigned char
#define __u16 unsigned short
#define __u32 unsigned int
#define __u64 unsigned long long
#define NW_LINES 240
#include "classify/classify.h"
#include "steer/steer.h"
#include "return/return.h"
#define SIZE(t) printf("\\"%s\\": %zu,", #t, sizeof(struct t))
#define AT(t, f) printf("\\"%s.%s\\": %zu,", #t, #f, offsetof(struct t, f))
int main(void) {
  printf("{");
  SIZE(nw_control); SIZE(nw_set); SIZE(nw_rule); SIZE(nw_bits); SIZE(nw_ids); SIZE(nw_peer4); SIZE(nw_peer6);
  SIZE(nw_connection); SIZE(nw_interface); SIZE(nw_counter); SIZE(nw_steering); SIZE(nw_destination);
  AT(nw_control, port_ifindex); AT(nw_control, stale_ns); AT(nw_control, sets); AT(nw_control, leases);
  AT(nw_set, without_ports); AT(nw_set, others); AT(nw_set, digest); AT(nw_rule, lease); AT(nw_rule, counter); AT(nw_rule, skip_to);
  AT(nw_rule, share); AT(nw_rule, tcp_mask); AT(nw_rule, vlan); AT(nw_rule, line); AT(nw_connection, local_port);
  AT(nw_connection, local); AT(nw_connection, remote); AT(nw_steering, entry);
  printf("\\"rules\\": %d, \\"interfaces\\": %d, \\"leases\\": %d, \\"line\\": %d, \\"actions\\": %d, \\"sets\\": %d, \\"flags\\": %d}",
    NW_RULES, NW_INTERFACES, NW_LEASES, NW_ACTION_LINE, NW_ACTION_REJECT, NW_SET_SHARE, NW_RULE_VLAN);
}
"""


def test_sizes_offsets_and_numbers_are_the_compiler_s(tmp_path: Path) -> None:
    source = tmp_path / "layout.c"
    source.write_text(PROGRAM)
    program = harness.build("layout", [*harness.MUSL, "-I", "bpf"], [source], headers=BPF)
    found = json.loads(subprocess.run([program], capture_output=True, check=True).stdout)
    assert found["nw_set"] == classifier_layout.SET.size
    assert found["nw_control.sets"] == classifier_layout.SETS_AT
    assert found["nw_control.leases"] == classifier_layout.LEASES_AT == classifier_layout.SETS_AT + 2 * classifier_layout.SET.size
    assert found["nw_control"] == classifier_layout.LEASES_AT + 8 * MAX_LEASES
    assert (found["nw_control.port_ifindex"], found["nw_control.stale_ns"]) == (4, 8)
    assert [found[f"nw_set.{f}"] for f in ("without_ports", "others", "digest")] == [8, 10, 16]
    assert found["nw_rule"] == classifier_layout.RULE.size
    offsets = [found[f"nw_rule.{f}"] for f in ("lease", "counter", "skip_to", "share", "tcp_mask", "vlan", "line")]
    assert offsets == [2, 4, 8, 12, 20, 22, 24]
    assert (found["nw_bits"], found["nw_ids"]) == (classifier_layout.BITS, classifier_layout.IDS)
    assert (found["nw_peer4"], found["nw_peer6"]) == (12, 24)
    assert found["nw_connection"] == classifier_layout.CONNECTION.size
    assert [found[f"nw_connection.{f}"] for f in ("local_port", "local", "remote")] == [8, 12, 28]
    assert found["nw_interface"] == classifier_layout.INTERFACE.size
    assert found["nw_counter"] == classifier_layout.COUNTER.size
    assert found["nw_steering"] == 4 + 4 * MAX_LINES
    assert found["nw_destination"] == classifier_layout.DESTINATION.size
    assert (found["rules"], found["interfaces"], found["leases"]) == (MAX_RULES, MAX_INTERFACES, MAX_LEASES)
    assert (found["line"], found["actions"]) == (Action.LINE, Action.REJECT)
    assert (found["sets"], found["flags"]) == (classifier_layout.SET_SHARE, classifier_layout.RULE_VLAN)
