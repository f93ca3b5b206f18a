"""Rewrites what no generator of sites gives: `make docs`. A test says when one is stale."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pydantic_core
import yaml
from pydantic import BaseModel

from ganbench.cli.commands.plugins import markdown
from ganbench.config.json_schema import as_written
from ganbench.config.schema import CellSettings, RunSettings, section_of
from ganbench.registry import manifest
from ganbench.registry.kinds import KINDS

ROOT = Path(__file__).parents[1]
PACKAGES = sorted((ROOT / "plugins").glob("ganbench-*"))
PLAYERS = ("training.generator", "training.discriminator")
ORIGINS = {
    "g_norm": "the architecture's first that the losses allow",
    "d_norm": "the architecture's first that the losses allow",
    "gate.metrics": "what metrics say of their columns",
    "execution.jobs": "`auto`, or 1 where time, speed or memory is a column",
    "execution.threads": "a share of the cores",
    "training.budget.kimg": "100",
    **{f"training.{name}": "the loss's recipe"
       for name in ("n_critic", "optimizer", "g_lr", "d_lr", "betas")},
    **{f"{player}.{name}": "as for both players"
       for player in PLAYERS for name in ("optimizer", "lr", "betas")},
    **{f"{player}.{name}": "the optimiser's own"
       for player in PLAYERS for name in ("weight_decay", "momentum", "eps")},
}  # fmt: skip
"""Where a value that the schema leaves open comes from."""


def plugins() -> str:
    """What comes with the package."""
    os.environ["GANBENCH_LOAD_PLUGINS"] = ""
    return markdown()


def packages() -> str:
    """What the packages of plugins/ give, by kind."""
    os.environ["GANBENCH_LOAD_PLUGINS"] = ""
    lines = ["| package | gives | what it is |", "|---|---|---|"]
    for package in PACKAGES:
        module = str(package / f"{package.name.replace('-', '_')}.py")
        given = [entry for entry in manifest.listing([module]) if entry.distribution != "ganbench"]
        for entry in given:
            lines.append(f"| `{package.name}` | {entry.kind} `{entry.name}` | {entry.summary} |")
    return "\n".join(lines)


def hooks() -> str:
    lines = ["| hook | registers subclasses of |", "|---|---|"]
    for kind in KINDS.values():
        named = ", ".join(f"`ganbench.{name}`" for name in kind.classes)
        lines.append(f"| `{kind.hook}(register)` | {named} |")
    return "\n".join(lines)


def rules() -> str:
    """The names of the conformance kit's rules, by kind."""
    lines = []
    for kind in KINDS.values():
        named = ", ".join(f"`{name}`" for name in import_module(kind.rules).rules.names())
        lines.append(f"- **{kind.word}**: {named}")
    return "\n".join(lines)


def keys() -> str:
    """Every key of a benchmark file with its default, where that comes from, and what it is."""
    lines = ["| key | left out | what it is |", "|---|---|---|"]
    for key, field in [*_keys(RunSettings), *_keys(CellSettings)]:
        about = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{key}` | {_default(key, field)} | {about} |")
    return "\n".join(lines)


def _keys(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        yield above + name, field
        if below := section_of(field):
            yield from _keys(below, f"{above}{name}.")


def _default(key: str, field: Any) -> str:
    if field.is_required():
        return "must be said"
    if section_of(field):
        return "as below"
    if field.default is None:
        return ORIGINS.get(key, "none")
    plain = as_written(pydantic_core.to_jsonable_python(field.default))
    text = yaml.safe_dump(plain, default_flow_style=True, width=1000)
    return f"`{text.strip().removesuffix('...').strip()}`"


def field() -> str:
    """The cells of the benchmark that trains every method, under the names that it gives them."""
    cells = (ROOT / "benchmarks" / "field_smoke.yaml").read_text("utf-8")
    found = re.findall(r"^    # (.+)\n    - (\{.+\})$", cells, re.MULTILINE)
    lines = ["| method | cell |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | `{cell[1:-1]}` |" for name, cell in found)])


def methods() -> str:
    """Every method of a package, with its papers and what its tests hold it to."""
    os.environ["GANBENCH_LOAD_PLUGINS"] = ""
    lines = ["| method | what it is | paper | file | held to |", "|---|---|---|---|---|"]
    for package in PACKAGES:
        module = package / f"{package.name.replace('-', '_')}.py"
        length = len(module.read_text("utf-8").splitlines())
        tests = next((package / "tests").glob("test_*.py"))
        held, _, _ = (ast.get_docstring(ast.parse(tests.read_text("utf-8"))) or "").partition("\n")
        readme = (package / "README.md").read_text("utf-8")
        for entry in manifest.listing([str(module)]):
            if entry.distribution == "ganbench" or entry.kind not in METHODS:
                continue
            file = f"`{module.relative_to(ROOT).as_posix()}`, {length}"
            paper = _paper(entry.summary, readme)
            lines.append(
                f"| {entry.kind} `{entry.name}` | {entry.summary} | {paper} | {file} | {held} |"
            )
    return "\n".join(lines)


METHODS = ("loss", "conditioning", "architecture", "transform")
"""The kinds of plugins that are methods of the field."""


def _paper(summary: str, readme: str) -> str:
    """Return the address of the paper that a class names by author and year, of its README's."""
    cited = re.search(r"\((\w[\w-]*)[^()]* (\d{4})\)", summary)
    found = [
        (cited[2] in entry, number[1])
        for entry in re.split(r"\n>?\n", readme)
        if cited and cited[1] in entry.partition("*")[0]
        if (number := re.search(r"arXiv:(\d{4}\.\d{5})", entry))
    ]
    if not found:
        return "its README"
    _, number = max(found, key=lambda one: one[0])
    return f"[{number}](https://arxiv.org/abs/{number})"


BLOCKS: dict[str, dict[str, Callable[[], str]]] = {
    "docs/methods.md": {"field": field, "methods": methods},
    "docs/reference/contracts.md": {"hooks": hooks},
    "docs/reference/keys.md": {"keys": keys},
    "docs/reference/plugins.md": {"plugins": plugins, "packages": packages},
    "docs/reference/rules.md": {"rules": rules},
}


def rewritten(text: str, name: str, content: str) -> str:
    start, end = f"<!-- {name}:start -->\n", f"<!-- {name}:end -->"
    before, _, rest = text.partition(start)
    return f"{before}{start}{content}\n{end}{rest.partition(end)[2]}"


def main() -> None:
    for file, blocks in BLOCKS.items():
        path = ROOT / file
        text = path.read_text("utf-8")
        for name, content in blocks.items():
            text = rewritten(text, name, content())
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
