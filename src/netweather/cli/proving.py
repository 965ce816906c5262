"""`set --verify`: what was just set is measured, and undone when it does not hold. Not here: the table (verify)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from netweather.conditions import NetworkCondition
from netweather.errors import NetweatherError

if TYPE_CHECKING:
    from netweather.engine import Done, Engine, Service
    from netweather.measure import Evidence
    from netweather.targets import Target


@dataclass
class Proof:
    """The evidence that `set --verify` gathers; none when it isn't asked for. quiet: no progress bar."""

    quiet: bool = False
    evidence: list[Evidence] = field(default_factory=list)

    def around(self, service: Service, put: partial[list[Done]]) -> partial[list[Done]]:
        """The same, with a proof of each target. service: direct mode's, which can put back what was there before."""
        from netweather.engine import Direct

        assert isinstance(service, Direct)
        return partial(put, check=partial(self.check, service.engine))

    def check(self, engine: Engine, target: Target, condition: NetworkCondition) -> None:
        """Measures a condition that was just set. Raises NetweatherError not-proved when it does not hold."""
        from netweather.cli.verify import measured
        from netweather.engine.verifying import Wish
        from netweather.measure import worst

        found = measured(engine, target, Wish(name=condition.name), quiet=self.quiet)
        self.evidence += found
        if worst(each.verdict for each in found) == "FAIL":
            what, why = f"{condition.name!r} does not hold on {target.reference}", "; ".join(_reasons(found))
            raise NetweatherError("not-proved", what, why, "it was undone; `netweather doctor` may say why")

    @property
    def exit_code(self) -> int:
        """0 also when nothing was to be proved; 3 when it can't be told, and then it stays in force."""
        from netweather.measure import worst

        return worst(each.verdict for each in self.evidence).exit_code if self.evidence else 0

    def added(self, document: dict[str, Any]) -> dict[str, Any]:
        """The condition's document with the evidence in its status."""
        name = document["metadata"]["name"]
        found = [each.plain() for each in self.evidence if each.name == name]
        return {**document, "status": {**document["status"], "evidence": found}} if found else document

    def tell(self) -> None:
        """The evidence as `verify` prints it."""
        from netweather.cli.verify import tell

        for each in self.evidence:
            tell(each)


def _reasons(found: list[Evidence]) -> list[str]:
    from netweather.cli.verify import value_words

    figures = [figure for each in found for measured in each.measured for figure in measured.figures]
    return [problem for each in found for problem in each.problems] + [
        f"{f.name} {f.direction}: {value_words(f.asked, f.unit)} asked, {value_words(f.seen, f.unit)} seen"
        for f in figures
        if f.verdict == "FAIL"
    ]
