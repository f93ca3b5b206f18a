"""How a cell's training is watched: in which unit, and at which moments pictures are kept."""

from __future__ import annotations

from ganbench.config.benchmark_file import CellRequest
from ganbench.config.schema import MOST_FRAMES, Frames
from ganbench.errors import ConfigError
from ganbench.records.schedules import Amount, Unit, Units, short
from ganbench.records.training_settings import Followed, Frame


def followed(request: CellRequest, units: Units) -> Followed:
    """Return it with moments in images. Those beyond the budget never come, and are left out.

    Raises ConfigError.
    """
    settings = request.settings
    in_epochs = settings.training.budget.epochs is not None
    evaluation, key = settings.evaluation, "frames"
    try:
        moments = _moments(evaluation.frames, units)
        found = [Frame(images=_images(one, units), title=_title(one)) for one in moments]
        key = "every"
        probes = _multiples(evaluation.every, units) if evaluation.every else []
    except ValueError as error:
        raise ConfigError(f"{request.where}: evaluation.{key}: {error}") from error
    return Followed(
        unit="epochs" if in_epochs else "kimg",
        frames=tuple(frame for frame in found if 0 < frame.images <= _budget(units)),
        probes=tuple(_images(one, units) for one in probes),
    )


def _moments(asked: Frames, units: Units) -> list[Amount]:
    for key, value in asked.given().items():
        if key == "every":
            return _multiples(value, units)
        unit: Unit = key  # type: ignore[assignment]
        return [Amount(value=one, unit=unit) for one in sorted(set(value))]
    return []


def _multiples(every: Amount, units: Units) -> list[Amount]:
    images = _images(every, units)
    count = _budget(units) // images if images else MOST_FRAMES + 1
    if count > MOST_FRAMES:
        raise ValueError(
            f"every {every.text} comes to {f'{count:,}' if images else 'no end of'} moments, and "
            f"at most {MOST_FRAMES:,} are kept; make them rarer"
        )
    return [Amount(value=every.value * (i + 1), unit=every.unit) for i in range(count)]


def _images(moment: Amount, units: Units) -> int:
    return round(moment.in_kimg(units).images(1000 * units.kimg))


def _budget(units: Units) -> int:
    return round(1000 * units.kimg)


def _title(moment: Amount) -> str:
    number = short(round(moment.value, 9))
    words = {"kimg": f"{number} kimg", "epochs": f"epoch {number}", "steps": f"step {number}"}
    return words.get(moment.unit, f"{moment.value:.4g} of the budget")
