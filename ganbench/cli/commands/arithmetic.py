"""`ganbench arithmetic`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import model_options
from ganbench.cli.contact_sheet import COLUMNS, Sheet
from ganbench.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.models.saved.model import SavedModel
    from ganbench.pictures.montage import Row

SHOWN = 8  # samples of a group, and neighbours of the result
Weights = Mapping[int, Fraction]  # of classes


@click.command("arithmetic")
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    metavar="FILE.png",
    help="Write a page of numbered samples to choose from.",
)
@click.option(
    "-n",
    "count",
    type=int,
    default=64,
    show_default=True,
    metavar="N",
    help="Samples on the sheet.",
)
@click.option(
    "--plus",
    multiple=True,
    metavar="3,17|label:CLASS",
    help="Add the mean latent of these samples, or of all on the sheet of a class. Repeatable.",
)
@click.option("--minus", multiple=True, metavar="3,17|label:CLASS", help="Subtract it. Repeatable.")
@click.option(
    "--noise",
    type=float,
    default=0.25,
    show_default=True,
    metavar="R",
    help="Neighbours of the result differ from it by up to ±R.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.png", help="The result.")
@model_options.model
def command(
    model: Path,
    sheet: Path | None,
    count: int,
    plus: tuple[str, ...],
    minus: tuple[str, ...],
    noise: float,
    out: Path | None,
    force: bool,
    seed: int,
    **loading: Any,
) -> int:
    """Add and subtract latents, as a − b + c: woman with glasses = man with glasses − man + woman
    (Radford et al., 2016).

    First write a sheet and choose some samples of each kind from it; their numbers mean the same
    as long as --seed is. Where the generator takes labels, these are added and subtracted too, and
    the result is shown under each label as well. `label:CLASS` means every sample on the sheet of
    that class, by its label or, of an unconditional model, as the data set's judge sees it.

    \b
    ganbench arithmetic results/faces/bce --sheet sheet.png
    ganbench arithmetic results/faces/bce --plus 3,17,20 --minus 1,2,9 --plus 5,8 --out page.png
    ganbench arithmetic results/mnist/bce --plus label:5 --minus label:3 --plus label:8 --out p.png
    """  # noqa: D205
    model_options.at_least(1, n=count)
    _check_options(sheet, plus, minus, noise, out, force)
    found = model_options.load(model, **loading)
    model_options.require_pictures(found, "ganbench arithmetic")
    contact = Sheet(found, count, seed)
    operands = _operands(contact, plus, minus)
    if sheet is not None:
        _save(contact.page(), sheet, "--sheet")
    if out is not None:
        _save(_page(contact, operands, noise), out, "--out")
    return 0


def _check_options(
    sheet: Path | None,
    plus: Sequence[str],
    minus: Sequence[str],
    noise: float,
    out: Path | None,
    force: bool,
) -> None:
    if out is None and (plus or minus):
        raise ConfigError("--plus and --minus are for a result: add --out page.png")
    if sheet is None and out is None:
        raise ConfigError(
            "nothing to write: begin with --sheet sheet.png, then choose samples from it with "
            "--plus and --minus for --out page.png"
        )
    if out is not None and not plus:
        raise ConfigError(f"--out {out}: add --plus with the numbers of samples, or label:CLASS")
    if not 0 <= noise < float("inf"):
        raise ConfigError(f"--noise {noise:g}: expected a number of at least 0")
    for path, option in ((sheet, "--sheet"), (out, "--out")):
        if path is not None:
            model_options.check_out(path, (".png",), force, option)
    if out is not None and sheet is not None and out.absolute() == sheet.absolute():
        raise ConfigError(f"--sheet and --out are the same file: {out}")


@dataclass(frozen=True)
class Operand:
    """The mean of some samples, with a sign."""

    sign: str
    numbers: Sequence[int]
    latent: Tensor  # (Z,)
    labels: Weights | Tensor | None  # of classes, or the mean vector (C,)

    @property
    def factor(self) -> int:
        """Return 1 where the latent is added, and -1 where it is subtracted."""
        return -1 if self.sign == "−" else 1


def _operands(sheet: Sheet, plus: Sequence[str], minus: Sequence[str]) -> list[Operand]:
    """Return a − b + c in order: what is subtracted stands after the first that is added."""
    added = [_operand(sheet, "+", "--plus", text) for text in plus]
    return added[:1] + [_operand(sheet, "−", "--minus", text) for text in minus] + added[1:]


def _operand(sheet: Sheet, sign: str, option: str, text: str) -> Operand:
    numbers = _numbers(sheet, option, text)
    labels: Weights | Tensor | None = None
    if sheet.labels is not None:
        own = sheet.labels[list(numbers)]
        found = Counter(own.tolist()) if own.ndim == 1 else Counter()
        shares = {label: Fraction(count, len(numbers)) for label, count in found.items()}
        labels = shares or own.mean(0)
    return Operand(sign, numbers, sheet.latents[list(numbers)].mean(0), labels)


def _numbers(sheet: Sheet, option: str, text: str) -> list[int]:
    kind, colon, name = text.partition(":")
    if colon and kind.strip() == "label":
        label = model_options.class_of(sheet.model, option, name.strip())
        found = (sheet.classes == label).nonzero()[:, 0].tolist()
        if not found:
            raise ConfigError(
                f"{option} {text}: none of the {sheet.count} samples is of this class; raise -n"
            )
        return found
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"{option} {text}: expected numbers as in 3,17,20, or label:CLASS")
    numbers = list(dict.fromkeys(map(int, parts)))
    if max(numbers) >= sheet.count:
        raise ConfigError(
            f"{option} {text}: the sheet has samples from 0 to {sheet.count - 1}, and no "
            f"{max(numbers)}; -n {max(numbers) + 1} makes it longer"
        )
    return numbers


def _page(sheet: Sheet, operands: Sequence[Operand], noise: float) -> Any:
    """Each operand's mean and what it is the mean of; the result, and what is near it."""
    import torch

    from ganbench.pictures import montage

    latent = torch.stack([o.factor * o.latent for o in operands]).sum(0)
    labels = _summed(operands)
    rows = [_operand_row(sheet, operand) for operand in operands]
    rows += _result_rows(sheet, latent, labels, noise)
    return montage.draw(rows)


def _operand_row(sheet: Sheet, operand: Operand) -> Row:
    from ganbench.pictures.montage import Row, Tile

    own = [sheet.tile(number) for number in operand.numbers[:SHOWN]]
    more = len(operand.numbers) - len(own)
    image = _images(sheet.model, operand.latent[None], operand.labels)[0]
    caption = f"mean of {len(operand.numbers)}\n{_named(sheet.model, operand.labels)}".strip()
    rest = [Tile(caption=f"… {more} more")] if more else []
    return Row([Tile(image, caption), Tile(), *own, *rest], operand.sign)


def _result_rows(
    sheet: Sheet, latent: Tensor, labels: Weights | Tensor | None, noise: float
) -> list[Row]:
    """Beside the result, those near it; and the same latent under every label."""
    import torch

    from ganbench.pictures import grid_classes
    from ganbench.pictures.montage import Row, Tile
    from ganbench.util.random_streams import stream

    model = sheet.model
    away = torch.rand(SHOWN, len(latent), generator=stream(sheet.seed, "arithmetic")) * 2 - 1
    latents = torch.cat([latent[None], latent + noise * away])
    rows = []
    if labels is not None or not model.labelled:
        result, *near = _images(model, latents, labels)
        tiles = [Tile(image, f"± {noise:g}") for image in near]
        caption = f"result\n{_named(model, labels)}".strip()
        rows.append(Row([Tile(result, caption), Tile(), *tiles], "="))
    if model.labelled:
        classes = torch.tensor(grid_classes(model.image.num_classes))
        asked = classes if len(classes) else model.label_source.spread(COLUMNS)
        images = model.images(latent.expand(len(asked), -1), asked)
        names = [model.label_name(label) for label in asked]
        tiles = [Tile(*pair) for pair in zip(images, names, strict=True)]
        for at in range(0, len(tiles), COLUMNS):
            first = Tile(caption="same latent,\neach label") if not at else Tile()
            rows.append(Row([first, Tile(), *tiles[at : at + COLUMNS]], "" if rows else "="))
    return rows


def _summed(operands: Sequence[Operand]) -> Weights | Tensor | None:
    """Return the labels' own a − b + c; None where the weights do not add up to one label."""
    import torch

    vectors = [o.factor * o.labels for o in operands if isinstance(o.labels, torch.Tensor)]
    if vectors:
        return torch.stack(vectors).sum(0) if sum(o.factor for o in operands) == 1 else None
    total: Counter[int] = Counter()
    for operand in operands:
        for label, weight in (operand.labels or {}).items():  # type: ignore[union-attr]
            total[label] += operand.factor * weight  # type: ignore[assignment]
    kept = {label: Fraction(weight) for label, weight in total.items() if weight}
    return kept if sum(kept.values()) == 1 else None


def _images(model: SavedModel, latents: Tensor, labels: Weights | Tensor | None) -> Tensor:
    from ganbench.models.label_mixing import mixed_labels

    if labels is None:
        return model.images(latents, None)
    if not isinstance(labels, Mapping):
        return model.images(latents, labels.expand(len(latents), -1))
    with mixed_labels({k: float(v) for k, v in labels.items()}, len(latents)) as mixed:
        return model.images(latents, mixed)


def _named(model: SavedModel, labels: Weights | Tensor | None) -> str:
    """`5`, or `0.67·5 + 0.33·7`; or a vector's numbers."""
    if labels is None:
        return ""
    if not isinstance(labels, Mapping):
        return model.label_name(labels)
    terms = []
    for label, weight in labels.items():
        factor = "" if abs(weight) == 1 else f"{float(abs(weight)):.2g}·"
        terms.append((" − " if weight < 0 else " + ") + factor + model.class_names[label])
    return "".join(terms).removeprefix(" + ")


def _save(page: Any, out: Path, option: str) -> None:
    from ganbench.pictures import montage

    with model_options.writing(out, option):
        montage.save(page, out)
    print(out)
