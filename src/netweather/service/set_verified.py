"""`set --verify`: what was just set is measured, and undone when it does not hold. Not here: how it is measured (verifying)."""

from __future__ import annotations

from netweather.conditions import NetworkCondition
from netweather.engine import verification
from netweather.engine.core import Engine
from netweather.engine.transaction import Check
from netweather.engine.verification import ProgressCallback, VerifyOptions
from netweather.errors import NetweatherError
from netweather.measure import ConditionEvidence, Verdict, value_words, worst
from netweather.service.callers import DIRECT, Caller
from netweather.targets import Target


def proof(engine: Engine, progress: ProgressCallback, caller: Caller = DIRECT) -> Check:
    """A check for `set_all`: the evidence for a condition on a target. It raises NetweatherError(code="not-proved") when it
    does not hold, or when the caller does not wait for it any more; what can't be told is no failure.
    """

    def check(target: Target, condition: NetworkCondition) -> list[ConditionEvidence]:
        def tell(share: float, text: str) -> None:
            if caller.gone():
                what = f"{condition.name!r} on {target.reference} was not verified"
                raise NetweatherError(
                    "not-proved",
                    what,
                    "the client disconnected",
                    "the change was undone; send the request again and wait for the answer",
                )
            progress(share, text)

        found = verification.verify(engine, target, VerifyOptions(name=condition.name, may_enter=caller.may_change), tell)
        if worst(each.verdict for each in found) is Verdict.FAIL:
            what = f"{condition.name!r} does not work as requested on {target.reference}"
            raise NetweatherError(
                "not-proved", what, "; ".join(_reasons(found)), "the change was undone; `netweather doctor` may name the reason"
            )
        return found

    return check


def _reasons(found: list[ConditionEvidence]) -> list[str]:
    figures = [figure for each in found for measured in each.measured for figure in measured.figures]
    return [problem for each in found for problem in each.problems] + [
        f"{f.name} {f.direction}: {value_words(f.asked, f.unit)} requested, {value_words(f.seen, f.unit)} measured"
        for f in figures
        if f.verdict is Verdict.FAIL
    ]
