"""The troubles that textbooks on GANs teach to look for, and when they are seen.

As in Foster (Generative Deep Learning, 2nd edition, 2023, chapter 4), Arjovsky & Bottou (2017) and
Goodfellow (2016): either player may overpower the other, samples may collapse, a training may
diverge, and a critic may have nothing to tell. The thresholds were set on trainings that were
healthy, and on others that were made ill on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from ganbench.records.results import ENOUGH_ITERATIONS as ENOUGH
from ganbench.records.results import Finding
from ganbench.training.diagnosis import remedies
from ganbench.training.diagnosis.evidence import Evidence, Series, early, late, quarters

EXPLODED = 100.0
"""Above so much, and so many times its early size, a term or a norm has exploded. Norms of healthy
runs have grown twentyfold, where samples of the plane sharpened."""
ENORMOUS = 1e6
"""Above so much a term, a norm or an output of D has exploded, however high it began."""
WIDENED = 4.0
"""So many times what it was in the second quarter of a training is the distance that a diverging
critic sees in the last; a healthy one sees it shrink as samples improve."""
PERFECT = 0.99
"""The accuracy on real images and on fakes at which D has nothing left to learn: where its loss
saturates, G has not either (Arjovsky & Bottou, 2017)."""
FOOLED = 0.9
"""The share of G's images taken for real by a D that no longer keeps up; at equilibrium, half."""
COIN = 0.6
"""Up to this mean of both accuracies, D does little better than a coin. It should at equilibrium,
so only with poor samples is it a finding."""
FLAT = 0.05
"""Of its largest: a distance that a critic no longer sees, or a gradient that has vanished."""
ROUNDING = 1e-5
"""Of a critic's outputs: a distance of theirs that is nothing but rounding."""
ALIKE, SCATTERED = 0.5, 1.3
"""Of the real images' mean distance: closer together, samples have collapsed, and further apart
they are noise. Healthy runs end between 0.8 and 1.1."""
STUCK = 0.02
"""Of the real images' mean distance: up to this, G gives one image, and loses to any D."""
ALL_BUT_ONE = 0.1
"""Of the real images' mean distance: up to this, samples are one image to the eye."""
LONG_AHEAD = 150
"""Iterations after which a D that was right on everything in three quarters of them is named."""
FALLEN = 0.5
"""Of its own largest: samples that were different, and are no more."""
GROWING, RECENT = 1.25, 3
"""So many times the largest of so many frames before, the diversity of samples still grows."""
CONSTANT = 1e-3
"""Of [-1, 1]: real images that are no further from one another are all the same."""
FEW_MODES, REACHED = 50, 0.95
"""Where there are so few modes, each that is missing is a finding; of more, a twentieth may."""
SAMPLES_PER_MODE = 10
"""With fewer, a mode may be missed by chance."""
ON_MODES, OFF_MODES = 0.5, 0.1
"""The share of samples near a mode from which the modes have been found, and below which not."""
RIGHT, WRONG = 0.8, 0.3
"""Of precision, and of the samples that are of the class asked for: of good samples, and of poor.
"""

STANDS_OUT, VISIBLE = 10.0, 0.02
"""So many times the power of neighbouring frequencies, and so much of [-1, 1], has a checkerboard.
Photographs, digits and noise have about 1, and transposed convolutions as they begin 30 to 250."""
BEYOND_REAL = 3.0
"""So many times what real images have of it, as those may have a grid of their own."""

Rule = Callable[[Evidence], Finding | None]


def diagnose(evidence: Evidence) -> list[Finding]:
    """Return the troubles seen in this training; an empty list promises nothing."""
    found = _all(evidence, (constant_data, divergence))
    if found:
        return found  # what the other rules look at are then consequences
    if evidence.iterations < ENOUGH:
        return _all(evidence, (discriminator_always_right, identical_samples))
    return _all(
        evidence,
        (
            discriminator_overpowers,
            generator_overpowers,
            mode_collapse,
            uninformative_critic,
            checkerboards,
        ),
    )


def _finding(
    evidence: Evidence, kind: str, title: str, seen: str, advice: Sequence[remedies.Remedy]
) -> Finding:
    return Finding(kind, title, seen, remedies.applying(advice, evidence.setup))


def _all(evidence: Evidence, rules: tuple[Rule, ...]) -> list[Finding]:
    return [finding for rule in rules if (finding := rule(evidence)) is not None]


def constant_data(evidence: Evidence) -> Finding | None:
    """Find that every real image is the same: a mistake in the data, of which no training tells."""
    real = evidence.real_diversity
    if real is None or not real <= CONSTANT:
        return None
    seen = (
        "two real images, of one class where there are classes, differ by "
        f"{real:.2g} on average, on a scale from -1 to 1"
    )
    return _finding(
        evidence, "constant-data", "the data's images are all the same", seen, remedies.DATA
    )


def divergence(evidence: Evidence) -> Finding | None:
    """Find terms or gradients without bound, or a critic that sees the distance grow."""
    numbers = [*_not_finite(evidence), *_exploded(evidence), *_enormous(evidence)]
    seen = evidence.failure or "; ".join(numbers)
    seen = seen or _widened(evidence)
    if not seen:
        return None
    return _finding(evidence, "divergence", "the training diverges", seen, remedies.DIVERGENCE)


def discriminator_overpowers(evidence: Evidence) -> Finding | None:
    """Find a D that is right on everything.

    Its loss is then near 0 and saturates (Arjovsky & Bottou, 2017).
    """
    right = _perfect(evidence)
    if not right or _good(evidence):
        return None
    if evidence.spread is not None and evidence.spread <= STUCK:
        return None
    seen = f"{right}{_losses(evidence)}{_gradient(evidence)}"
    title = "the discriminator overpowers the generator"
    return _finding(
        evidence, "discriminator-overpowers", title, seen, remedies.STRONG_DISCRIMINATOR
    )


def discriminator_always_right(evidence: Evidence) -> Finding | None:
    """Find a D that was right on all images in every window but the first few, of a short training.

    It must have been so for some time: D is ahead at first.
    """
    real, fake = evidence.signal("d_real_accuracy"), evidence.signal("d_fake_accuracy")
    later = [*real[len(real) // 4 :], *fake[len(fake) // 4 :]]
    if evidence.iterations < LONG_AHEAD or not real or not fake or min(later) < PERFECT:
        return None
    return discriminator_overpowers(evidence)


def identical_samples(evidence: Evidence) -> Finding | None:
    """Find samples that are all but one image, of a training of any length.

    Those of an untrained G hardly differ either: so it is no finding while they still spread.
    """
    if evidence.spread is None or evidence.spread > ALL_BUT_ONE or _still_spreads(evidence):
        return None
    return mode_collapse(evidence)


def checkerboards(evidence: Evidence) -> Finding | None:
    """Find a pattern of two pixels' width in samples that real images have not (Odena, 2016)."""
    if evidence.checkerboard is None:
        return None
    amplitude, stands_out = evidence.checkerboard
    real, real_stands_out = evidence.real_checkerboard or (0.0, 0.0)
    if not (
        amplitude >= max(VISIBLE, BEYOND_REAL * real)
        and stands_out >= max(STANDS_OUT, BEYOND_REAL * real_stands_out)
    ):
        return None
    seen = (
        f"a pattern of two pixels' width has an amplitude of {amplitude:.2g} on a scale from -1 to "
        f"1, {stands_out:.3g} times the power of frequencies beside it; in real images {real:.2g}"
    )
    title = "the generator's images have checkerboards"
    return _finding(evidence, "checkerboard", title, seen, remedies.CHECKERBOARD)


def generator_overpowers(evidence: Evidence) -> Finding | None:
    """Find a D that G nearly always fools, with samples not known to be good (Foster, 2023)."""
    fooled = evidence.signal("g_accuracy")
    if not fooled or late(fooled) < FOOLED or _good(evidence):
        return None
    rights = [
        f"{late(series):.1%} of {what}"
        for name, what in (("d_real_accuracy", "real images"), ("d_fake_accuracy", "fakes"))
        if (series := evidence.signal(name))
    ]
    right = f", and was right on {' and '.join(rights)}" if rights else ""
    seen = f"in the last half of training D took {late(fooled):.1%} of G's images for real{right}"
    title = "the generator overpowers the discriminator"
    return _finding(evidence, "generator-overpowers", title, seen, remedies.STRONG_GENERATOR)


def mode_collapse(evidence: Evidence) -> Finding | None:
    """Find lost classes or modes, or samples that no longer differ (Goodfellow, 2016)."""
    modes, alike = [*_lost_modes(evidence)], [*_lost_diversity(evidence)]
    if not modes and not alike:
        return None
    title = "the generator loses modes" if modes else "the generator's samples hardly differ"
    right = "" if modes else _perfect(evidence)
    seen = f"{'; '.join([*modes, *alike, *filter(None, [right])])}"
    seen += _gradient(evidence, only_vanished=True)
    advice = remedies.STRONG_DISCRIMINATOR if right else remedies.COLLAPSE
    return _finding(evidence, "mode-collapse", title, seen, advice)


def uninformative_critic(evidence: Evidence) -> Finding | None:
    """Find a D no better than a coin, or a critic that sees no distance, where samples are poor.

    Where they are not, that is what an equilibrium looks like (Goodfellow et al., 2014).
    """
    poor = "; ".join(_poor(evidence))
    blind = _blind_critic(evidence) if evidence.is_critic else _coin(evidence)
    if not poor or not blind:
        return None
    title = "the discriminator tells the generator nothing"
    seen = f"{blind}{_gradient(evidence)}; and samples are poor: {poor}"
    return _finding(evidence, "uninformative-critic", title, seen, remedies.WEAK_DISCRIMINATOR)


def _perfect(evidence: Evidence) -> str:
    """Say of a D that was right on everything what it was right on; "" of any other."""
    real, fake = evidence.signal("d_real_accuracy"), evidence.signal("d_fake_accuracy")
    if not real or not fake or min(late(real), late(fake)) < PERFECT:
        return ""
    return (
        f"in the last half of training D was right on {late(real):.1%} of real images and "
        f"{late(fake):.1%} of fakes"
    )


def _measured(evidence: Evidence) -> Iterator[tuple[str, Series]]:
    yield from evidence.terms()
    yield "the norm of D's gradient", evidence.signal("d_gradient_norm")
    yield "the norm of G's gradient", evidence.signal("g_gradient_norm")


def _not_finite(evidence: Evidence) -> Iterator[str]:
    for name, series in _measured(evidence):
        if wrong := [value for value in series if not math.isfinite(value)]:
            yield f"{name} became {wrong[0]}"


def _exploded(evidence: Evidence) -> Iterator[str]:
    for name, series in _measured(evidence):
        sizes = [abs(value) for value in series if math.isfinite(value)]
        if len(sizes) < 4:
            continue
        before, now = early(sizes), quarters(sizes)[-1]
        if now >= EXPLODED and now >= EXPLODED * before:
            yield f"{name} grew from {before:.3g} to {now:.3g}"


def _enormous(evidence: Evidence) -> Iterator[str]:
    """Look at what lasted and at the end: one spike on the way is not meant."""
    outputs = [("D's output on real images", "d_real"), ("D's output on fakes", "d_fake")]
    found = [*_measured(evidence), *((name, evidence.signal(key)) for name, key in outputs)]
    for name, series in found:
        sizes = [abs(value) for value in series if math.isfinite(value)]
        if sizes and max(late(sizes), sizes[-1]) >= ENORMOUS:
            yield f"{name} is {max(late(sizes), sizes[-1]):.3g}, having begun at {sizes[0]:.3g}"


def _widened(evidence: Evidence) -> str:
    distance = [abs(value) for value in evidence.distance]
    if not evidence.is_critic or len(distance) < 8 or evidence.iterations < ENOUGH:
        return ""
    first, second, third, last = quarters(distance)
    if not (last > third > second and last >= WIDENED * max(first, second)):
        return ""
    return (
        f"the distance between real images and fakes that the critic sees grew from {second:.3g} "
        f"in the second quarter of training to {third:.3g} and {last:.3g}; it should shrink"
    )


def _losses(evidence: Evidence) -> str:
    totals = [sum(window.d_terms.values()) for window in evidence.windows if window.d_terms]
    return f"; its loss went from {totals[0]:.3g} to {late(totals):.3g}" if totals else ""


def _gradient(evidence: Evidence, only_vanished: bool = False) -> str:
    norms = evidence.signal("g_gradient_norm")
    if not norms:
        return ""
    largest, now = max(norms), late(norms)
    if not largest:
        return "; G's gradient was 0 all the time"
    vanished = now <= FLAT * largest
    if only_vanished and not vanished:
        return ""
    how = " and vanished" if vanished else ""
    return f"; the norm of G's gradient went from up to {largest:.3g} to {now:.3g}{how}"


def _lost_modes(evidence: Evidence) -> Iterator[str]:
    """Not before samples lie near modes at all: until then none can be lost."""
    found, near = evidence.value("modes"), evidence.value("high-quality")
    count = evidence.num_modes
    enough = evidence.num_samples >= SAMPLES_PER_MODE * count
    if not count or found is None or not enough or (near is not None and near < ON_MODES):
        return
    least = count if count <= FEW_MODES else REACHED * count
    if found < least:
        yield f"samples reach {found:g} of {count} classes or modes"


def _lost_diversity(evidence: Evidence) -> Iterator[str]:
    spread = evidence.spread
    if spread is None:
        return
    last, largest = evidence.diversity[-1][1], max(value for _, value in evidence.diversity)
    grows = _still_spreads(evidence)
    if spread < ALIKE and not grows:
        yield (
            f"two samples differ by {last:.2g} on average, which is {spread:.0%} of what two real "
            f"images do ({evidence.real_diversity:.2g})"
        )
    elif last < FALLEN * largest and spread < 1 and not grows:
        yield f"the mean difference of two samples fell from {largest:.2g} to {last:.2g}"


def _still_spreads(evidence: Evidence) -> bool:
    series = [value for _, value in evidence.diversity]
    return len(series) > 1 and series[-1] >= GROWING * max(series[-1 - RECENT : -1]) > 0


def _poor(evidence: Evidence) -> Iterator[str]:
    spread, near = evidence.spread, evidence.value("high-quality")
    alike = spread is not None and spread < ALIKE and not _still_spreads(evidence)
    if spread is not None and (alike or spread > SCATTERED):
        yield f"their mean difference is {spread:.0%} of the real images'"
    if near is not None and near < OFF_MODES:
        yield f"{near:.1%} of them lie near a mode"
    for name, what in (
        ("cond-accuracy", "are of the class asked for"),
        ("precision", "lie among the real images"),
    ):
        share = evidence.value(name)
        if share is not None and share < WRONG:
            yield f"{share:.1%} of them {what}"


def _good(evidence: Evidence) -> bool:
    """Whether a metric says so and none says the contrary."""
    if [*_poor(evidence), *_lost_modes(evidence), *_lost_diversity(evidence)]:
        return False
    limits = {"high-quality": ON_MODES, "cond-accuracy": RIGHT, "precision": RIGHT}
    found = {name: evidence.value(name) for name in limits}
    return any(value is not None and value >= limits[name] for name, value in found.items())


def _coin(evidence: Evidence) -> str:
    real, fake = evidence.signal("d_real_accuracy"), evidence.signal("d_fake_accuracy")
    fooled = evidence.signal("g_accuracy")
    if not real or not fake or (fooled and late(fooled) >= FOOLED):
        return ""  # the latter is a generator that overpowers
    mean = (late(real) + late(fake)) / 2
    if mean > COIN:
        return ""
    return (
        f"in the last half of training D was right on {late(real):.1%} of real images and "
        f"{late(fake):.1%} of fakes, little better than a coin"
    )


def _blind_critic(evidence: Evidence) -> str:
    if not evidence.distance:
        return ""
    largest, now = max(map(abs, evidence.distance)), late(evidence.distance)
    outputs = max(map(abs, evidence.signal("d_real")))
    if now > max(FLAT * largest, ROUNDING * outputs):
        return ""
    how = f"{abs(now):.2g} {'higher' if now >= 0 else 'lower'}"
    return (
        f"in the last half of training the critic's output was {how} on real images than on "
        f"fakes, after a distance of up to {largest:.2g}"
    )
