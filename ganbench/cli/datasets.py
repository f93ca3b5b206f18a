"""`ganbench datasets`."""

from __future__ import annotations

from typing import Any

import click

from ganbench.cli import options
from ganbench.errors import GanbenchError


@click.command("datasets")
@options.plugin
@options.as_json
def command(plugins: tuple[str, ...], as_json: bool) -> int:
    """Show which data sets are there, where they are, and whether they are verified."""
    from ganbench import folders, registry

    found = registry.load(plugins)
    listed = [described(found, name, folders.data()) for name in found.names("dataset")]
    if as_json:
        options.print_json(listed)
        return 0
    for entry in listed:
        print(f"{entry['name']}: {entry['summary']}")
        print(
            f"  {entry['state']}; {entry['location']}"
            + (f" ({entry['note']})" if entry["note"] else "")
        )
    return 0


def described(registry: Any, name: str, root: Any) -> dict[str, Any]:
    """A data set's state, or which options it needs before it has one."""
    entry = registry.lookup("dataset", name)
    fields = registry.options_model("dataset", name).model_fields
    required = [field for field, info in fields.items() if info.is_required()]
    plain = {"name": name, "summary": entry.summary, "distribution": str(entry.source)}
    if required:
        state = f"needs {', '.join(required)}"
        return {**plain, "state": state, "location": "yours", "verified": None, "note": ""}
    try:
        status = registry.build("dataset", name, {}).status(root)
    except Exception as error:  # a plugin's own
        note = (
            str(error) if isinstance(error, GanbenchError) else f"{type(error).__name__}: {error}"
        )
        return {**plain, "state": "unusable", "location": "", "verified": False, "note": note}
    words = {True: "there, verified", False: "there, DAMAGED", None: "there"}
    state = words[status.verified] if status.present else "missing"
    return {
        **plain,
        "state": state,
        "location": status.location,
        "verified": status.verified,
        "note": status.note,
    }
