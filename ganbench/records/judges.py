"""What tables say of the judges by which samples' classes were told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ganbench.records.results import TrialResult

NAME = "judge"  # in protocols, among extractors; and among the seconds of a trial
WELL, CLASS_WELL = 0.9, 0.7  # below which a judge is used with a note


def weakness(accuracy: float, worst: str, of_worst: float) -> str:
    """Say what a judge is not good enough at to be believed in all; "" where it is."""
    found = []
    if accuracy < WELL:
        found.append(f"it judges {accuracy:.1%} of real images right, less than {WELL:.0%}")
    if of_worst < CLASS_WELL:
        right = f"it judges {of_worst:.1%} of class '{worst}' right"
        found.append(f"{right}, less than {CLASS_WELL:.0%}")
    return ", and ".join(found)


def sentences(results: Iterable[TrialResult]) -> Iterator[str]:
    """Yield of each judge how good it is, and of those trained in the run what that took."""
    told: dict[str, Any] = {}
    seconds = 0.0
    for result in results:
        seconds = max(seconds, result.seconds.get(NAME, 0.0))
        for protocol in result.protocols.values():
            extractors = protocol.get("extractors")
            found = extractors.get(NAME) if isinstance(extractors, dict) else None
            if isinstance(found, dict) and "accuracy" in found:
                told[found["weights"]["sha256"]] = found
    for sha256, found in told.items():
        worst = found["worst"]
        weak = weakness(found["accuracy"], worst["class"], worst["accuracy"])
        doubt = f"; {weak}: numbers of classes are of its mistakes, too" if weak else ""
        took = f", made ready in {seconds:,.0f} s" if seconds >= 1 else ""
        yield (
            f"Classes are told by judge {sha256[:8]}, which judges {found['accuracy']:.2%} of "
            f"{found['checked_on']} right{took}{doubt}."
        )
