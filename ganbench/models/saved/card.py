"""The model card of a trained model."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from ganbench.records.columns import title_with_space
from ganbench.records.results import MetricValue
from ganbench.records.schedules import Schedule, text_of
from ganbench.records.training_settings import Continued
from ganbench.util.messages import counted
from ganbench.util.terminal import terminal_text

PROJECT = "ganbench"
TASK = "unconditional-image-generation"  # the Hub's only one for what GANs do
LISTED = 3  # files that were left out


def text(
    config: Mapping[str, Any],
    metrics: Sequence[MetricValue] | None = None,
    skipped: Sequence[str] = (),
    remarks: Sequence[str] = (),
) -> str:
    """Return the card in Markdown; the numbers are those of result.json, where they are known.

    `skipped` are the files of the data that were left out, with the reasons, and `remarks` what
    may be wrong with the others.
    """
    return "\n".join(
        [
            "---",
            *_metadata(config, metrics or ()),
            "---",
            "",
            f"# {_escaped(config['benchmark'] or 'model')}: {_escaped(config['cell']['label'])}",
            "",
            *_what(config),
            *_left_out(skipped),
            *_remarked(remarks),
            "",
            "## Training",
            "",
            *_table(("setting", "value"), _settings(config)),
            "",
            "## Numbers",
            "",
            *_numbers(metrics),
            "",
            "## Use",
            "",
            *_use(config),
            "",
            "## Licence",
            "",
            "Of the training data and of this model: to be stated by whoever passes it on.",
            "",
        ]
    )


def _metadata(config: Mapping[str, Any], metrics: Sequence[MetricValue]) -> list[str]:
    """Return what the Hugging Face Hub reads of a card, with the numbers as its model-index."""
    found: dict[str, Any] = {"library_name": PROJECT, "tags": ["gan", PROJECT]}
    cell = config["cell"]
    numbers = [
        {
            "type": m.column.name,
            "name": title_with_space(m.column),
            "value": m.value,
            **({"args": {"protocol": m.protocol}} if m.protocol else {}),
        }
        for m in metrics
        if m.value is not None and math.isfinite(m.value)
    ]
    if numbers:
        called = cell["axes"].get("dataset", cell["dataset"]["name"])
        kind = "Class-conditional" if config["labelled"] else "Unconditional"
        result = {
            "task": {"type": TASK, "name": f"{kind} image generation"},
            "dataset": {"type": cell["dataset"]["name"], "name": _plain(called)},
            "metrics": numbers,
        }
        name = _plain(f"{config['benchmark'] or 'model'}: {cell['label']}")
        found["model-index"] = [{"name": name, "results": [result]}]
    text: str = yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=1000)
    return text.splitlines()


def _what(config: Mapping[str, Any]) -> Iterator[str]:
    image, cell = config["image"], config["cell"]
    shape = f"{image['channels']}×{image['resolution']}×{image['resolution']}"
    called = cell["axes"].get("dataset", cell["dataset"]["name"])
    yield (
        f"Generator and discriminator of a GAN for images of {shape}, trained on "
        f"{config['num_images']:,} images of data set {_code(called)}."
    )
    if image.get("condition_dim"):  # which models of before do not have
        yield f"Each comes with a vector of {image['condition_dim']} numbers."
    names = config["class_names"] or [str(i) for i in range(image["num_classes"])]
    if names:
        listed = ", ".join(map(_escaped, names[:20])) + (", …" if len(names) > 20 else "")
        yield f"{len(names)} classes: {listed}."


def _left_out(skipped: Sequence[str]) -> Iterator[str]:
    if skipped:
        few = ", ".join(map(_code, skipped[:LISTED])) + (", …" if len(skipped) > LISTED else "")
        yield f"Left out, as they cannot be used: {counted(len(skipped), 'file')}: {few}."


def _remarked(remarks: Sequence[str]) -> Iterator[str]:
    if remarks:
        yield f"What may be wrong with them: {'; '.join(map(_escaped, remarks))}."


def _settings(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    cell, training = config["cell"], config["training"]
    for key in ("dataset", "loss", "g_conditioning", "d_conditioning", "architecture"):
        yield key, _spec(cell[key])
    for key in ("regularizers", "transforms"):
        if cell[key]:
            yield key, ", ".join(map(_spec, cell[key]))
    if cell.get("samplers"):
        yield "sampler of the numbers below", _spec(cell["samplers"][0])
    yield "norms of G and D", f"{cell['g_norm']}, {cell['d_norm']}"
    schedule = cell["schedule"]
    yield "batch size", str(schedule["batch_size"])
    own = schedule.get("discriminator") or {}  # which models of before do not have
    names = dict.fromkeys([schedule["optimizer"], own.get("optimizer") or schedule["optimizer"]])
    yield (
        "optimiser",
        f"{' and '.join(names)}, {_rate(schedule['g_lr'])} (G), {_rate(schedule['d_lr'])} (D)",
    )
    yield "images shown to D", f"{training['kimg']:g} thousand"
    if continued := schedule.get("continues"):
        yield "continued from", _code(Continued(**continued).text)
    yield "updates of G and D", f"{training['g_updates']:,}, {training['d_updates']:,}"
    yield "seed", str(config["seed"])
    yield "trial", _code(config["trial"])
    yield "versions", f"ganbench {config['ganbench']}, torch {_escaped(config['torch'])}"


def _rate(written: float | Mapping[str, Any]) -> str:
    return text_of(Schedule.of(written) if isinstance(written, Mapping) else written)


def _numbers(metrics: Sequence[MetricValue] | None) -> list[str]:
    pointer = "Protocols and everything else are in `result.json` beside this file."
    if not metrics:
        return ["They are in `result.json` beside this file, once the trial has been judged."]
    rows = [
        (_code(m.column.name), _value(m), _code(m.protocol) if m.protocol else "") for m in metrics
    ]
    return [*_table(("metric", "value", "protocol"), rows), "", pointer]


def _value(metric: MetricValue) -> str:
    if metric.value is None:
        return _escaped(f"— ({metric.reason})")
    number = f"{metric.value:,.{metric.column.digits}f}"
    return _escaped(f"{number} {metric.column.unit}".strip())


def _use(config: Mapping[str, Any]) -> Iterator[str]:
    others = _others(config)
    if others:
        yield f"It needs {', '.join(map(_code, others))}, as it was at training."
        yield ""
    labelled = config["labelled"]
    yield "```python"
    yield "import ganbench"
    yield ""
    yield 'model = ganbench.load_model(".")  # this folder, wherever it is'
    yield "samples = model.sample(64, seed=0)" + ("  # or labels=0" if labelled else "")
    yield "samples.images  # (64, C, H, W)" + (", and samples.labels" if labelled else "")
    yield "```"
    yield ""
    yield "```sh"
    yield "ganbench sample . -n 64 --out grid.png"
    yield "```"


def _others(config: Mapping[str, Any]) -> list[str]:
    """List the plugins of third parties in the networks."""
    cell = config["cell"]
    specs = [cell["architecture"], cell["g_conditioning"], cell["d_conditioning"]]
    sources = dict.fromkeys(spec["source"] for spec in [*specs, *cell["transforms"]])
    return [source for source in sources if source.split(" ")[0] != PROJECT]


def _spec(spec: Mapping[str, Any]) -> str:
    options = ", ".join(f"{key}={json.dumps(value)}" for key, value in spec["options"].items())
    return _code(f"{spec['name']}({options})" if options else spec["name"])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _code(value: str) -> str:
    return f"`{_plain(value).replace('`', chr(39))}`".replace("|", "\\|")


def _escaped(value: object) -> str:
    """Escape a text, for nothing in a name is markup."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", _plain(value))


def _plain(value: object) -> str:
    """Return a text as one line of what may be shown anywhere."""
    return terminal_text(" ".join(str(value).split()))
