"""`netweather doctor`: what this kernel and host can do, what is missing, and what to do about it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from netweather.cli import command_factory
from netweather.cli.options import json_option
from netweather.cli.output import say, say_json, styled, wrapped

if TYPE_CHECKING:
    from netweather.engine.views.system_reports import KernelReport
    from netweather.kernel.features.features import Finding

_EXAMPLES = """
sudo netweather doctor
# load installed modules, such as sch_netem
sudo netweather doctor --modprobe
netweather doctor --json | jq '.features[] | select(.answer == "no")'
"""
_ANSWERS: Final = {"yes": "yes", "no": "no", "unknown": "can't tell"}
_NAME, _ANSWER = 14, 11


@command_factory.command("doctor", examples=_EXAMPLES)
@command_factory.option("--modprobe", is_flag=True, help="load kernel modules that are installed but not loaded")
@json_option
def command(*, modprobe: bool, as_json: bool) -> int:
    """Checks everything that Netweather needs, and names a remedy for what is missing.

    All checks run in a temporary namespace; your own configuration is not changed. Modules are loaded only with --modprobe.
    Exit 0: Netweather works on this machine; 1: it does not.
    """
    from netweather.connecting import need_root
    from netweather.engine.views.system_reports import KernelReport
    from netweather.kernel.features.features import probe_all
    from netweather.settings import Settings

    if modprobe:
        need_root()
    findings = probe_all(Settings.load().state, load=modprobe)
    report = KernelReport.here(findings)
    if as_json:
        from netweather.wire.machine_documents import DOCTOR

        say_json(DOCTOR.write(report))
    else:
        _say(report)
    return 0 if report.works else 1


def _say(report: KernelReport) -> None:
    host, findings = report.host, report.findings
    say(f"Linux {host.release} on {host.machine}{f', {host.title}' if host.title else ''}\n")
    for finding in findings:
        say(_lines(finding))
    say("\n" + wrapped(f"--engine auto uses {report.engine}: {report.why}", "", "", sys.stdout))
    missing = [finding.feature.name for finding in findings if finding.state != "yes" and finding.feature.need == "needed"]
    if report.works:
        say(f"\n{styled('Netweather works on this machine.', 'green', sys.stdout)}")
    else:
        what = f": {', '.join(missing)}" if missing else ": it needs tcx, or clsact and cls_bpf"
        say(f"\n{styled('Netweather does not work on this machine' + what, 'red', sys.stdout)}")


def _lines(finding: Finding) -> str:
    """'tcx  no  Linux 6.1 is older than 6.6 (attaching without losing a packet)', and the remedy below."""
    feature = finding.feature
    good = finding.state == "yes"
    style = "green" if good else "red" if feature.need == "needed" else "yellow"
    detail = finding.detail if good else f"{finding.detail} (for {feature.purpose})"
    indent = " " * (_NAME + _ANSWER)
    first = f"{feature.name:<{_NAME}}{_ANSWERS[finding.state]:<{_ANSWER}}"
    paragraphs = [wrapped(detail, first, indent, sys.stdout)]
    instead = feature.instead if finding.state == "no" else ""
    extra = [] if good else [instead, f"remedy: {finding.remedy}" if finding.remedy else ""]
    paragraphs += [wrapped(text, indent, indent, sys.stdout) for text in extra if text]
    paragraphs[0] = paragraphs[0].replace(_ANSWERS[finding.state], styled(_ANSWERS[finding.state], style, sys.stdout), 1)
    return "\n".join(paragraphs)
