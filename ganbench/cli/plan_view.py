"""A plan in a terminal: a table where it fits, else a list of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganbench.cli import streams
from ganbench.util.messages import brief, counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ganbench.config.yaml_document import Document
    from ganbench.models.layers import Layers
    from ganbench.records.cells import Plan, Spec
    from ganbench.records.training_settings import PlayerName, TrainingSettings

MOST_ROWS = 200  # of the table, for readers have limits
SIGNS = {None: "", "at most": "≤ ", "at least": "≥ "}
PIPE_WIDTH = 200
FIELDS = (
    "id",
    "norms G/D",
    "batch",
    "n_critic",
    "optimizer",
    "kimg",
    "updates G/D",
    "precision",
    "G params",
    "D params",
    "time a seed",
)
NUMBERS = ("kimg", "updates G/D", "G params", "D params")


def show(plan: Plan, cells: list[dict[str, Any]]) -> None:
    """Print what each cell resolves to, and why those that cannot be built cannot."""
    console = streams.console(pipe_width=PIPE_WIDTH)
    title = f"{plan.name} (plan {plan.id})"
    rows = [(cell["label"], _fields(cell)) for cell in cells[:MOST_ROWS]]
    table = _table(title, rows)
    if _width(table, console) <= console.width:
        console.print(table)
    else:
        console.print(title)
        shared = _shared([fields for _, fields in rows])
        if shared:
            _list("every cell", shared, console)
        for label, fields in rows:
            _list(label, {head: fields[head] for head in fields if head not in shared}, console)
    if len(cells) > MOST_ROWS:
        print(f"… and {len(cells) - MOST_ROWS:,} cells more; --json shows every one")
    for cell in cells[:MOST_ROWS]:
        if cell["incompatible"]:
            console.print(f"{cell['label']}: n/a: {cell['incompatible']}")


def show_layers(label: str, found: Layers) -> None:
    """Print both networks of a cell, layer by layer."""
    from rich.table import Table

    console = streams.console(pipe_width=PIPE_WIDTH)
    for player, layers in (("G", found.generator), ("D", found.discriminator)):
        table = Table(title=f"{player} of {label}", title_justify="left", show_footer=True)
        total = f"{sum(layer.parameters for layer in layers):,}"
        table.add_column("layer", "in all")
        table.add_column("kind")
        table.add_column("makes of an image")
        table.add_column("params", total, justify="right")
        for layer in layers:
            shape = "" if layer.shape is None else "×".join(map(str, layer.shape)) or "1"
            count = f"{layer.parameters:,}" if layer.parameters else ""
            table.add_row(layer.name, layer.kind, shape, count)
        console.print(table)
    if found.reason:
        print(f"{label}: shapes are not known to the end: {found.reason}")


def show_origins(document: Document) -> None:
    """Print each setting of the file with the place where it was written."""
    from rich.table import Table

    from ganbench.config.origins import origins

    name = document.name
    title = f"{name} over {document.parent.name}" if document.parent else name
    table = Table(title=f"what {title} says, and where", title_justify="left")
    for head in ("setting", "value", "written at"):
        table.add_column(head)
    for origin in origins(document):
        table.add_row(origin.key, brief(origin.value), origin.place)
    streams.console(pipe_width=PIPE_WIDTH).print(table)


def counts(plan: Plan) -> str:
    """Return how many cells, seeds and trials a plan has, on what device."""
    cells, seeds = len(plan.cells), len(plan.seeds)
    line = (
        f"{counted(cells, 'cell')} × {counted(seeds, 'seed')} = "
        f"{counted(cells * seeds, 'trial')} on {plan.device}"
    )
    if several := {cell.sampling_seeds for cell in plan.cells} - {1}:
        drawn = f"{min(several)} to {max(several)}" if len(several) > 1 else f"{min(several)}"
        line += f", samples of each drawn and judged {drawn} times"
    return line


def at_once(jobs: int, reason: str) -> str:
    """Return how many trials run at once, and why, where nobody asked for so many."""
    return ("one by one" if jobs == 1 else f"{jobs} at once") + (reason and f", as {reason}")


def durations(cells: list[dict[str, Any]], total: float, at_once: str, guessed: float) -> str:
    """Return how long a run takes, what is not in it, and what of it is a guess of judging."""
    from ganbench.training.time_estimate import readable

    bounds = {cell["estimate_bound"] for cell in cells} - {None}
    bound = f"{bounds.pop()} " if len(bounds) == 1 else ""
    said = f"the run takes {bound}about {readable(total)}, {at_once}"
    if left := sum(c["estimated_seconds"] is None and not c["incompatible"] for c in cells):
        said += f", without {counted(left, 'cell')} of networks too large to try out"
    if guessed >= 1:
        said += (
            f"; {readable(guessed)} of it for judging are a guess, as nothing was judged so on "
            "this machine yet"
        )
    return said


def _fields(cell: dict[str, Any]) -> dict[str, str]:
    """Return the texts of FIELDS; of a cell that cannot be built only the first two."""
    from ganbench.training.time_estimate import readable

    if cell["incompatible"]:
        return {"id": cell["id"], "norms G/D": "n/a"}
    schedule, seconds = cell["schedule"], cell["estimated_seconds"]
    return {
        "id": cell["id"],
        "norms G/D": f"{cell['g_norm']}/{cell['d_norm']}",
        "batch": str(schedule.batch_size),
        "n_critic": _turns(schedule),
        "optimizer": _optimizers(cell),
        "kimg": f"{schedule.kimg:g}",
        "updates G/D": f"{cell['g_updates']:,}/{cell['d_updates']:,}",
        "precision": schedule.precision,
        "G params": _counted(cell, "g_parameters"),
        "D params": _counted(cell, "d_parameters"),
        "time a seed": ""
        if seconds is None
        else f"{SIGNS[cell['estimate_bound']]}{readable(seconds)}",
    }


def _table(title: str, rows: list[tuple[str, dict[str, str]]]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for head in ("cell", *FIELDS):
        table.add_column(head, justify="right" if head in NUMBERS else "left")
    for label, fields in rows:
        table.add_row(label, *(fields.get(head, "") for head in FIELDS))
    return table


def _width(table: Table, console: Console) -> int:
    """Return how wide a table is that breaks no line."""
    return console.measure(table, options=console.options.update(max_width=100_000)).maximum


def _shared(rows: list[dict[str, str]]) -> dict[str, str]:
    """Return the fields that are alike in all cells, of two or more, that can be built."""
    built = [fields for fields in rows if len(fields) == len(FIELDS)]
    if len(built) < 2:
        return {}
    return {
        head: text for head, text in built[0].items() if all(one[head] == text for one in built)
    }


def _list(label: str, fields: dict[str, str], console: Console) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console.print(Text(label, style="bold"))
    said = (f"{head} {text}" for head, text in fields.items() if text)
    console.print(Padding(Text("; ".join(said).replace("\n", ", ")), (0, 0, 0, 4)))


def _turns(schedule: TrainingSettings) -> str:
    """Return how many steps of D an iteration has, and of G where those are not one."""
    shared = ", shared batch" if schedule.critic_batches == "shared" else ""
    n_gen = f", n_gen {schedule.n_gen}" if schedule.n_gen != 1 else ""
    return f"{schedule.n_critic}{shared}{n_gen}"


def _optimizers(cell: dict[str, Any]) -> str:
    """Return what both players' weights go by; player by player where more than rates differs."""
    from ganbench.records.schedules import text_of
    from ganbench.records.training_settings import OwnSettings

    schedule = cell["schedule"]
    is_plain = cell["g_optimizer"] == cell["d_optimizer"]
    if is_plain and schedule.generator == schedule.discriminator == OwnSettings():
        name = _named(cell["g_optimizer"], schedule.optimizer)
        betas = "/".join(map(text_of, schedule.betas))
        return f"{name} {text_of(schedule.g_lr)}/{text_of(schedule.d_lr)} β {betas}"
    of_g = _of_player(schedule, "generator", cell["g_optimizer"])
    of_d = _of_player(schedule, "discriminator", cell["d_optimizer"])
    return f"G {of_g}\nD {of_d}"


def _of_player(schedule: TrainingSettings, player: PlayerName, spec: Spec | None) -> str:
    from ganbench.records.schedules import text_of

    name = _named(spec, schedule.of(player, "optimizer"))
    betas = "/".join(map(text_of, schedule.of(player, "betas")))
    said = [
        f"{key} {text_of(value)}"
        for key in ("weight_decay", "momentum", "eps", "clip_grad_norm")
        if (value := schedule.of(player, key)) is not None
    ]
    return " ".join([name, text_of(schedule.of(player, "lr")), "β", betas, *said])


def _named(spec: Spec | None, name: str) -> str:
    options = (
        ",".join(f"{key}={brief(value)}" for key, value in spec.options.items()) if spec else ""
    )
    return f"{name}({options})" if options else name


def _counted(cell: dict[str, Any], name: str) -> str:
    """Return a network's parameters, and those of plugins' own networks that learn with it."""
    own = cell[f"own_{name}"]
    return f"{cell[name]:,}" + (f" + {own:,} own" if own else "")
