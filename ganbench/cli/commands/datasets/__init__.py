"""`ganbench datasets`, and the commands below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options
from ganbench.cli.lazy_group import LazyGroup
from ganbench.cli.output import print_json
from ganbench.errors import INTERRUPTIONS, GanbenchError

if TYPE_CHECKING:
    from ganbench.contracts.images import DatasetStatus

COMMANDS = {
    "prepare": "Download and decode a data set, or a folder of pictures, and say what is in it.",
    "verify": "Read all of it again, and say what is damaged.",
    "preview": "Make a picture of some images of each class, or of all, with their ids.",
}


@click.group(
    "datasets",
    cls=LazyGroup,
    package=__name__,
    summaries=COMMANDS,
    invoke_without_command=True,
)
@options.plugin
@options.as_json
@click.pass_context
def command(ctx: click.Context, plugins: tuple[str, ...], as_json: bool) -> int:
    """Show which data sets are there, where they are, and whether they are verified."""
    if ctx.invoked_subcommand:
        return 0
    from ganbench.registry import registry
    from ganbench.util import files

    found = registry.load(plugins)
    listed = [described(found, name, files.data()) for name in found.names("dataset")]
    if as_json:
        print_json(listed)
        return 0
    for entry in listed:
        print(f"{entry['name']}: {entry['summary']}")
        print(
            f"  {entry['state']}; {entry['location']}"
            + (f" ({entry['note']})" if entry["note"] else "")
        )
    return 0


def described(registry: Any, name: str, root: Any) -> dict[str, Any]:
    """Return a data set's state, or which options it needs before it has one."""
    entry = registry.lookup("dataset", name)
    fields = registry.options_model("dataset", name).model_fields
    required = [field for field, info in fields.items() if info.is_required()]
    plain = {"name": name, "summary": entry.summary, "distribution": str(entry.source)}
    if required:
        state = f"needs {', '.join(required)}"
        return {**plain, "state": state, "location": "yours", "verified": None, "note": ""}
    try:
        status = registry.build("dataset", name, {}).status(root)
    except INTERRUPTIONS:
        raise
    except BaseException as error:  # a plugin's own
        note = (
            str(error) if isinstance(error, GanbenchError) else f"{type(error).__name__}: {error}"
        )
        return {**plain, "state": "unusable", "location": "", "verified": False, "note": note}
    return {
        **plain,
        "state": state_of(status),
        "location": status.location,
        "verified": status.verified,
        "note": status.note,
    }


def state_of(status: DatasetStatus) -> str:
    """In two words."""
    if not status.present:
        return "not here yet" if status.on_use else "missing"
    return {True: "there, verified", False: "there, DAMAGED", None: "there"}[status.verified]
