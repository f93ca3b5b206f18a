"""What a metric must do that claims to pass sanity checks; it need not claim any."""

from __future__ import annotations

import dataclasses
from typing import get_args

from ganbench.contracts.metrics import Claim, Measured, Metric
from ganbench.records.columns import Name
from ganbench.testing.rulebook import Rulebook
from ganbench.testing.sanity.checks import names_for
from ganbench.testing.sanity.report import sanity_findings
from ganbench.util.messages import known, suggestion

rules = Rulebook()


@rules.rule
def claims_can_be_checked(metric: Metric) -> None:
    columns = {Name.of(column.name).kind for column in metric.columns}
    for column, claim in metric.claims.items():
        assert column in columns, (
            f"it claims something of a column '{column}'; its columns are {sorted(columns)}, by "
            "their names before any @"
        )
        assert isinstance(claim, Claim) and claim.measures in get_args(Measured), (  # noqa: PT018
            f"its claim of '{column}' is {claim!r}; give a Claim of one of {get_args(Measured)}"
        )
        names = names_for(claim.measures)
        for check in claim.passes:
            assert check in names, (
                f"'{column}' claims to pass '{check}', which is no check of a {claim.measures}"
                f"{suggestion(check, names)}{known(names)}"
            )


@rules.rule
def claimed_sanity_checks_are_passed(metric: Metric) -> None:
    """With options at their defaults, as others may weigh one property against another."""
    claimed = {check for claim in metric.claims.values() for check in claim.passes}
    if not claimed or not _at_defaults(metric):
        return
    for found in sanity_findings(metric, claimed):
        claims = metric.claims[found.column].passes
        assert found.verdict or found.check not in claims, (
            f"'{found.column}' claims to pass '{found.check}', and does not: {found.seen}; mend "
            "it, or take the claim back"
        )


def _at_defaults(metric: Metric) -> bool:
    """Whether no option but the features is off its default; one without a default is given."""
    for field in dataclasses.fields(metric):  # type: ignore[arg-type]
        if field.name == "features":
            continue
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if default is not dataclasses.MISSING and getattr(metric, field.name) != default:
            return False
    return True
