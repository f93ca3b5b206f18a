"""What was asked, and what must be known to ask it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ganbench import Cell, DataSeen, GitState, Machine, RunInfo
from ganbench.default_plugins.reporters.html.byte_budget import ByteBudget
from ganbench.default_plugins.reporters.html.markup import Content, Markup, element, listing
from ganbench.default_plugins.reporters.html.rows import ReportView

MOST_SOURCE_BYTES, MOST_PROTOCOL_BYTES = 400_000, 600_000
LENGTH = 4000

Pairs = Iterable[tuple[str, Content]]


def asked(view: ReportView) -> list[Markup]:
    """Return how the run was asked for, with the benchmark file."""
    info = view.report.info
    execution = info.execution
    pairs = [
        ("benchmark", info.config),
        ("profile", info.profile or ""),
        ("changed", "\n".join(info.overrides)),
        ("seeds", ", ".join(map(str, view.report.run.plan.seeds[:100]))),
        ("device", _device(info.machine)),
        ("threads", str(execution.threads)),
        ("trials at a time", _at_a_time(info)),
        ("time limit", f"{execution.timeout:g} s" if execution.timeout is not None else ""),
        ("plugins named", "\n".join(execution.plugins)),
        ("continued", _continued(view.report.run.plan.cells)),
        ("command", _command(info.provenance.argv)),
    ]
    return [facts(pairs), *_source(view.report.run.source)]


def section(view: ReportView) -> list[Markup]:
    """Return versions, machine, data and protocols of the run."""
    info = view.report.info
    made, machine = info.provenance, info.machine
    memory, load = machine.memory_bytes, machine.load_average
    pairs = [
        ("run", info.id),
        ("plan", info.plan),
        ("begun", info.created),
        ("ganbench", made.ganbench),
        ("python", made.python),
        ("packages", ", ".join(f"{k} {v}" for k, v in made.packages.items() if v)),
        ("plugins", ", ".join(made.plugins)),
        ("failed plugins", _listed(made.failed_plugins)),
        *((f"git: {k}", _commit(state)) for k, state in made.git.items() if state),
        ("file's SHA-256", info.config_sha256),
        ("file extends", info.extends or ""),
        ("platform", machine.platform),
        ("processor", machine.cpu),
        ("cores", "" if machine.cores is None else str(machine.cores)),
        ("memory for the run", "" if memory is None else f"{memory / 1e9:.1f} GB"),
        ("load at the start", "" if load is None else f"{load:.2f}"),
        ("data", "\n".join(_data(name, found) for name, found in info.data.items())),
        ("extractors", _listed(made.weights)),
    ]
    return [facts(pairs), *_protocols(view)]


def _continued(cells: Sequence[Cell]) -> str:
    """Return where trainings went on from another run's."""
    known = (cell.schedule.continues for cell in cells)
    return "\n".join(dict.fromkeys(one.text for one in known if one is not None))


def facts(pairs: Pairs, class_: str = "facts") -> Markup:
    """Return a list of what is known; what is not is left out."""
    shown = [element("div", element("dt", k), element("dd", _cut(v))) for k, v in pairs if v]
    return element("dl", shown, class_=class_)


def _cut(content: Content) -> Content:
    if isinstance(content, str) and len(content) > LENGTH:
        return f"{content[:LENGTH]}…"
    return content


def _source(text: str) -> list[Markup]:
    if not text:
        return []
    shown, rest = ByteBudget(MOST_SOURCE_BYTES).fitting(map(_yaml_line, text.splitlines()))
    if rest:
        shown.append(element("i", f"and {rest:,} more lines in config.source.yaml"))
    return [
        element(
            "details",
            element("summary", "The benchmark file"),
            listing(shown, "The benchmark file"),
            open=True,
        )
    ]


def _yaml_line(line: str) -> Markup:
    if line.lstrip().startswith("#"):
        return element("i", f"{line}\n")
    key, colon, rest = line.partition(":")
    plain = key.lstrip(" -")
    if colon and plain and not any(c in plain for c in "{[\"'#"):
        return Markup(element("b", key) + element("span", f":{rest}\n"))
    return element("span", f"{line}\n")


def _protocols(view: ReportView) -> list[Markup]:
    found: dict[str, Any] = {}
    for outcome in view.report.outcomes:
        for name, protocol in outcome.result.protocols.items():
            found.setdefault(name, protocol)
    if not found:
        return []
    columns = _columns(view)
    blocks = (
        element(
            "details",
            element(
                "summary", element("code", name), f" {_used_for(protocol) or columns.get(name, '')}"
            ),
            listing(json.dumps(protocol, indent=1, ensure_ascii=False), f"Protocol {name}"),
        )
        for name, protocol in found.items()
    )
    kept, rest = ByteBudget(MOST_PROTOCOL_BYTES).fitting(blocks)
    if rest:
        kept.append(element("p", f"{rest:,} more are in the trials' result.json.", class_="more"))
    return [element("h3", "Protocols"), *kept]


def _used_for(protocol: Mapping[str, Any]) -> str:
    """Return the columns of a protocol, and what tells it from others of the same ones."""
    columns = ", ".join(str(name) for name, *_ in protocol.get("columns", ()))
    samples, sampler = protocol.get("num_samples"), protocol.get("sampler") or {}
    beside = [f"{samples:,} samples"] if isinstance(samples, int) else []
    beside += [f"sampler {sampler['name']}"] if "name" in sampler else []
    return f"{columns} ({', '.join(beside)})" if beside else columns


def _columns(view: ReportView) -> dict[str, str]:
    """Return what each protocol was used for, which those of earlier runs do not say."""
    found: dict[str, dict[str, None]] = {}
    for row in view.all:
        for name, summary in row.in_table.values.items():
            for protocol in sorted(summary.protocols):
                found.setdefault(protocol, {})[name] = None
    return {protocol: ", ".join(names) for protocol, names in found.items()}


def _device(machine: Machine) -> str:
    name, device = machine.device_name, machine.device
    return f"{device} ({name})" if name and device else device or name


def _at_a_time(info: RunInfo) -> str:
    """Return how many trials ran at a time, and why; of merged runs each where they differ."""
    told = {p.id: _jobs(p.jobs, p.own_gpus, p.jobs_reason) for p in info.parts}
    if len(set(told.values())) > 1:
        return "\n".join(f"{id}: {text}" for id, text in told.items())
    one = info.execution
    return next(iter(told.values()), "") or _jobs(one.jobs, one.own_gpus, one.jobs_reason)


def _jobs(count: int, own_gpus: bool, reason: str) -> str:
    gpus = ", each with GPUs of its own" if own_gpus else ""
    return f"{count}{gpus}{reason and f', as {reason}'}"


def _command(argv: Sequence[str]) -> str:
    if not argv:
        return ""
    first = "ganbench" if Path(argv[0]).name in ("ganbench", "__main__.py") else argv[0]
    return shlex.join([first, *argv[1:]])


def _commit(state: GitState) -> str:
    return f"{state.commit}{', with changes' if state.dirty else ''}"


def _data(name: str, found: DataSeen) -> str:
    return f"{name}: {found.num_images:,} images, SHA-256 {found.sha256}"


def _listed(values: Mapping[str, str]) -> str:
    return "\n".join(f"{k}: {v}" for k, v in values.items())
