"""`ganbench arithmetic`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import contact_sheet, model_options
from ganbench.cli.contact_sheet import COLUMNS, Operand, Sheet, Total, named
from ganbench.errors import ConfigError

if TYPE_CHECKING:
    from ganbench.pictures.montage import Row

SHOWN = 8  # samples of a group, and neighbours of the result


@click.command("arithmetic")
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    metavar="FILE.png",
    help="Write a page of numbered samples to choose from.",
)
@contact_sheet.count_option
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
    model_options.counts(1, n=count)
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


def _operands(sheet: Sheet, plus: Sequence[str], minus: Sequence[str]) -> list[Operand]:
    """Return a − b + c in order: what is subtracted stands after the first that is added."""
    added = [contact_sheet.operand(sheet, "+", "--plus", text) for text in plus]
    taken = [contact_sheet.operand(sheet, "−", "--minus", text) for text in minus]
    return added[:1] + taken + added[1:]


def _page(sheet: Sheet, operands: Sequence[Operand], noise: float) -> Any:
    """Each operand's mean and what it is the mean of; the result, and what is near it."""
    from ganbench.pictures import montage

    rows = [_operand_row(sheet, operand) for operand in operands]
    rows += _result_rows(sheet, contact_sheet.total(operands), noise)
    return montage.draw(rows)


def _operand_row(sheet: Sheet, operand: Operand) -> Row:
    from ganbench.models.saved import walks
    from ganbench.pictures.montage import Row, Tile

    own = [sheet.tile(number) for number in operand.numbers[:SHOWN]]
    more = len(operand.numbers) - len(own)
    image = walks.of(sheet.model.images, operand.latent[None], operand.label)[0]
    caption = f"mean of {len(operand.numbers)}\n{named(sheet.model, operand.label)}".strip()
    rest = [Tile(caption=f"… {more} more")] if more else []
    return Row([Tile(image, caption), Tile(), *own, *rest], operand.sign)


def _result_rows(sheet: Sheet, total: Total, noise: float) -> list[Row]:
    """Beside the result, those near it; and the same latent under every label."""
    import torch

    from ganbench.models.saved import walks
    from ganbench.pictures import grid_classes
    from ganbench.pictures.montage import Row, Tile
    from ganbench.util.random_streams import stream

    model, latent = sheet.model, total.latent
    away = torch.rand(SHOWN, len(latent), generator=stream(sheet.seed, "arithmetic")) * 2 - 1
    latents = torch.cat([latent[None], latent + noise * away])
    rows = []
    if total.label is not None or not model.labelled:
        result, *near = walks.of(model.images, latents, total.label)
        tiles = [Tile(image, f"± {noise:g}") for image in near]
        caption = f"result\n{named(model, total.label)}".strip()
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


def _save(page: Any, out: Path, option: str) -> None:
    from ganbench.pictures import montage

    with model_options.writing(out, option):
        montage.save(page, out)
    print(out)
