"""What was asked, and what must be known to ask it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ganbench.default_plugins.reporters.html.byte_budget import ByteBudget
from ganbench.default_plugins.reporters.html.markup import Content, Markup, element
from ganbench.default_plugins.reporters.html.rows import ReportView

MOST_SOURCE_BYTES, MOST_PROTOCOL_BYTES = 400_000, 600_000
LENGTH = 4000

Pairs = Iterable[tuple[str, Content]]


def asked(view: ReportView) -> list[Markup]:
    """Return how the run was asked for, with the benchmark file."""
    about = view.report.run.about
    execution = about.get("execution") or {}
    pairs = [
        ("benchmark", _text(about.get("config"))),
        ("profile", _text(about.get("profile"))),
        ("changed", "\n".join(map(str, about.get("overrides") or ()))),
        ("seeds", ", ".join(map(str, view.report.run.plan.seeds[:100]))),
        ("device", _device(about)),
        ("threads", _text(execution.get("threads"))),
        ("trials at a time", _text(execution.get("jobs"))),
        ("time limit", _seconds(execution.get("timeout"))),
        ("plugins named", "\n".join(map(str, execution.get("plugins") or ()))),
        ("command", _command(about)),
    ]
    return [facts(pairs), *_source(view.report.run.directory)]


def section(view: ReportView) -> list[Markup]:
    """Return versions, machine, data and protocols of the run."""
    about = view.report.run.about
    made, machine = about.get("provenance") or {}, about.get("machine") or {}
    packages = made.get("packages") or {}
    pairs = [
        ("run", _text(about.get("id"))),
        ("plan", _text(about.get("plan"))),
        ("begun", _text(about.get("created"))),
        ("ganbench", _text(made.get("ganbench"))),
        ("python", _text(made.get("python"))),
        ("packages", ", ".join(f"{k} {v}" for k, v in packages.items() if v)),
        ("plugins", ", ".join(map(str, made.get("plugins") or ()))),
        ("failed plugins", _listed(made.get("failed_plugins"))),
        *((f"git: {name}", text) for name, text in _commits(made.get("git"))),
        ("file's SHA-256", _text(about.get("config_sha256"))),
        ("platform", _text(machine.get("platform"))),
        ("processor", _text(machine.get("cpu"))),
        ("cores", _text(machine.get("cores"))),
        ("memory for the run", _gigabytes(machine.get("memory_bytes"))),
        ("load at the start", _load(machine.get("load_average"))),
        ("data", _data(about.get("data"))),
        ("extractors", _listed(made.get("weights"))),
    ]
    return [facts(pairs), *_protocols(view)]


def facts(pairs: Pairs, class_: str = "facts") -> Markup:
    """Return a list of what is known; what is not is left out."""
    shown = [element("div", element("dt", k), element("dd", _cut(v))) for k, v in pairs if v]
    return element("dl", shown, class_=class_)


def _cut(content: Content) -> Content:
    if isinstance(content, str) and len(content) > LENGTH:
        return f"{content[:LENGTH]}…"
    return content


def _source(directory: Path) -> list[Markup]:
    try:
        text = (directory / "config.source.yaml").read_text("utf-8", "replace")
    except OSError:
        return []
    shown, rest = ByteBudget(MOST_SOURCE_BYTES).fitting(map(_yaml_line, text.splitlines()))
    if rest:
        shown.append(element("i", f"and {rest:,} more lines in config.source.yaml"))
    return [
        element(
            "details", element("summary", "The benchmark file"), element("pre", shown), open=True
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
        protocols = outcome.result.get("protocols")
        if isinstance(protocols, dict):
            for name, protocol in protocols.items():
                found.setdefault(name, protocol)
    if not found:
        return []
    columns = _columns(view)
    blocks = (
        element(
            "details",
            element("summary", element("code", name), f" {columns.get(name, '')}"),
            element("pre", json.dumps(protocol, indent=1, ensure_ascii=False)),
        )
        for name, protocol in found.items()
    )
    kept, rest = ByteBudget(MOST_PROTOCOL_BYTES).fitting(blocks)
    if rest:
        kept.append(element("p", f"{rest:,} more are in the trials' result.json.", class_="more"))
    return [element("h3", "Protocols"), *kept]


def _columns(view: ReportView) -> dict[str, str]:
    """Return what each protocol was used for."""
    found: dict[str, dict[str, None]] = {}
    for row in view.all:
        for name, summary in row.in_table.values.items():
            for protocol in sorted(summary.protocols):
                found.setdefault(protocol, {})[name] = None
    return {protocol: ", ".join(names) for protocol, names in found.items()}


def _device(about: Mapping[str, Any]) -> str:
    machine = about.get("machine") or {}
    name, device = _text(machine.get("device_name")), _text(machine.get("device"))
    return f"{device} ({name})" if name and device else device or name


def _command(about: Mapping[str, Any]) -> str:
    argv = (about.get("provenance") or {}).get("argv")
    if not isinstance(argv, list) or not argv:
        return ""
    first = "ganbench" if Path(str(argv[0])).name in ("ganbench", "__main__.py") else str(argv[0])
    return shlex.join([first, *map(str, argv[1:])])


def _commits(git: Any) -> Iterator[tuple[str, str]]:
    for name, state in (git if isinstance(git, dict) else {}).items():
        if isinstance(state, dict) and state.get("commit"):
            yield name, f"{state['commit']}{', with changes' if state.get('dirty') else ''}"


def _data(data: Any) -> str:
    pairs = data.items() if isinstance(data, dict) else ()
    texts = [
        f"{name}: {found.get('num_images', 0):,} images, SHA-256 {found.get('sha256', 'unknown')}"
        for name, found in pairs
        if isinstance(found, dict)
    ]
    return "\n".join(texts)


def _listed(values: Any) -> str:
    return "\n".join(f"{k}: {v}" for k, v in values.items()) if isinstance(values, dict) else ""


def _gigabytes(value: Any) -> str:
    return f"{value / 1e9:.1f} GB" if isinstance(value, int | float) else ""


def _load(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else ""


def _seconds(value: Any) -> str:
    return f"{value:g} s" if isinstance(value, int | float) else ""


def _text(value: Any) -> str:
    return "" if value is None else str(value)
