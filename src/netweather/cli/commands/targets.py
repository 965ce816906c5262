"""`netweather targets`: what there is to name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netweather.cli import command_factory
from netweather.cli.options import json_option
from netweather.cli.output import remark, say, say_json
from netweather.targets.references import available

if TYPE_CHECKING:
    from netweather.errors import NetweatherError
    from netweather.targets import Listing

_EXAMPLES = """
netweather targets
netweather targets --json | jq -r '.[].reference'
"""


@command_factory.command("targets", examples=_EXAMPLES)
@json_option
def command(as_json: bool) -> None:
    """Lists possible TARGETs: containers, pods and named network namespaces.

    The forms of a TARGET are FORMS.
    The target host is the host's own network. Names must match exactly. An ID may be shortened to 12 or more hex digits.
    """
    from netweather.targets import list_targets

    problems: list[NetweatherError] = []
    found = list_targets(problems.append)
    for problem in problems:
        remark("note", f"{problem.what}: {problem.why}" if problem.why else problem.what)
    if as_json:
        from netweather.wire.machine_documents import LISTING

        say_json([LISTING.write(listing) for listing in found])
    elif found:
        _say_table(found)
    else:
        say("no containers, pods or named network namespaces were found; pid:N names the namespace of a process")


command.help = (command.help or "").replace("FORMS", "; ".join(each.form for each in available()))


def _say_table(found: list[Listing]) -> None:
    from netweather.cli.output import say_table

    note = any(each.note for each in found)
    titles = ["Target", "State", "Interfaces", "Addresses", *(["Note"] if note else [])]
    rows = [
        [
            f"{each.reference}\ncompose:{each.compose}" if each.compose else each.reference,
            each.state,
            " ".join(each.interfaces),
            "\n".join(map(str, each.addresses)),
            *([each.note] if note else []),
        ]
        for each in found
    ]
    say_table(titles, rows)
