"""Rewrites the generated parts of the documents: `make docs`. A test says when one is stale."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import ganbench
from ganbench.cli.commands.plugins import markdown
from ganbench.registry.kinds import KINDS

ROOT = Path(__file__).parents[1]
HELPERS = (
    "Scored",
    "Step",
    "Sampling",
    "DiscriminatorOutput",
    "Generate",
    "PlayerParameters",
    "Recipe",
    "PlayerSettings",
    "Schedule",
    "Amount",
    "Owned",
    "Shapes",
    "GeneratorConditioner",
    "DiscriminatorConditioner",
    "LinearHead",
    "Evaluation",
    "Features",
    "Moments",
    "MomentSums",
    "OfClasses",
    "Watch",
    "Probe",
    "ImageSpec",
    "LabeledImages",
    "Mixture",
    "DatasetStatus",
    "Column",
    "Timings",
    "Window",
    "TrialInfo",
    "Probed",
    "Tracker",
    "TrackedTable",
    "TrialRef",
    "Resources",
)
"""Public classes that plugins meet and do not subclass to be registered."""
FUNCTIONS = (
    "norm_per_sample",
    "logit_per_image",
    "interpolated",
    "perturbed",
    "gradient_penalty",
    "clip_weights",
)
"""Public functions that losses are made of."""
REPORTED = (
    "Report",
    "Table",
    "Row",
    "Summary",
    "Note",
    "Section",
    "TrialOutcome",
)
"""Public classes that reporters are handed, beside Column."""
RECORDED = (
    "TrialResult",
    "Status",
    "MetricValue",
    "SamplerResult",
    "Finding",
    "DataSeen",
    "TrainingCounts",
    "Parameters",
    "Environment",
    "Trial",
    "Run",
    "RunInfo",
    "Execution",
    "PluginChoice",
    "Machine",
    "Provenance",
    "GitState",
    "Plan",
    "Cell",
    "Reference",
    "Spec",
    "TrainingSettings",
    "OwnSettings",
    "HalfLife",
)
"""Public classes of what a run writes down, which reporters find in the others."""


def plugins() -> str:
    """What comes with the package, as the README lists it."""
    os.environ["GANBENCH_LOAD_PLUGINS"] = ""
    return markdown()


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


def contracts() -> str:
    """Every public contract class with the signatures of what it declares and does."""
    parts = []
    for kind in KINDS.values():
        cls, by = kind.contract_class(), f"Registered by `{kind.hook}(register)`."
        parts.append(f"### {kind.contract}\n\n{by} {_said(cls)}\n\n{_table(cls)}")
    parts.append("### What they meet\n\n" + _overview(HELPERS))
    parts.append("### What losses are made of\n\n" + _functions(FUNCTIONS))
    parts.append("### What reporters are handed")
    for name in REPORTED:
        cls = getattr(ganbench, name)
        parts.append(f"**{name}**: {_said(cls)}\n\n{_table(cls)}")
    parts.append("In them are the files of a run, as types:\n\n" + _overview(RECORDED))
    return "\n\n".join(parts)


def _overview(names: tuple[str, ...]) -> str:
    lines = ["| class | fields and methods |", "|---|---|"]
    for name in names:
        cls = getattr(ganbench, name)
        members = "<br>".join(f"`{line}`" for line, _ in _members(cls))
        lines.append(f"| **{name}**: {_said(cls)} | {members} |")
    return "\n".join(lines)


def _functions(names: tuple[str, ...]) -> str:
    lines = ["| function | what it does |", "|---|---|"]
    for name in names:
        function = getattr(ganbench, name)
        lines.append(f"| `{name}{_signature(function)}` | {_said(function)} |")
    return "\n".join(lines)


def _table(cls: type) -> str:
    lines = ["| member | what it is |", "|---|---|"]
    lines += [f"| `{line}` | {what} |" for line, what in _members(cls)]
    return "\n".join(lines)


def _members(cls: type) -> Iterator[tuple[str, str]]:
    for name, annotation in vars(cls).get("__annotations__", {}).items():
        if not name.startswith("_"):
            text = getattr(annotation, "__forward_arg__", annotation)  # a NamedTuple's
            plain = re.sub(r"ClassVar\[(.*)\]", r"\1", text)
            plain = re.sub(r"Annotated\[(\w+), .*\)\]", r"\1", plain)
            yield f"{name}: {plain}".replace("|", "or"), _remark(cls, name)
    for name, value in vars(cls).items():
        read = isinstance(value, property) or hasattr(value, "attrname")  # a cached property
        if read:
            function: Callable[..., object] = getattr(value, "fget", None) or value.func
        elif inspect.isfunction(value) or isinstance(value, classmethod):
            function = getattr(cls, name)
        else:
            continue
        if name == "__call__" or not name.startswith("_"):
            signature = _signature(function)
            signature = signature.replace("() ->", ":") if read else signature
            yield f"{name}{signature}", _said(function)


def _remark(cls: type, name: str) -> str:
    """What the source says behind a field, or in the string below it."""
    text = inspect.getsource(cls)
    found = re.search(
        rf"^ +{name}: [^#\n]*(?:\(\n(?:.*\n)*?    \))?(?:  # (.*))?$", text, re.MULTILINE
    )
    below = re.match(r'\n +"""((?:.|\n)*?)"""', text[found.end() :]) if found else None
    said = below[1] if below else found[1] if found else None
    return " ".join((said or "").split()).replace("|", "or")


def _signature(function: Callable[..., object]) -> str:
    signature = inspect.signature(function)
    kept = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    text = str(signature.replace(parameters=kept))
    return text.replace("'", "").replace("|", "or")


def _said(thing: object) -> str:
    """The documentation, on one line."""
    text = inspect.cleandoc(thing.__doc__ or "")
    written = not text.startswith(f"{getattr(thing, '__name__', '')}(")  # else dataclass wrote it
    return " ".join(text.split()).replace("|", "\\|") if written else ""


BLOCKS: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"plugins": plugins, "hooks": hooks},
    "docs/plugins.md": {"rules": rules, "hooks": hooks, "contracts": contracts},
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
