"""Pages of report.html, parsed, and what must hold of every one."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganbench import Report
from ganbench.default_plugins.reporters import HTML
from ganbench.records.run_folder import TrialOutcome
from ganbench.testing.fixtures import trials

FID = "fid@mnist-cnn-v1"


SPEED = "train-images-per-s"


BCE, LSGAN, REAL = "bce/none/mlp", "lsgan/none/mlp", "real test set (ring)"


HOSTILE = (
    "</script></style><script>alert(1)</script>\"'><img src=x onerror=alert(1)> & \x00 \x1b[31m"
    "\u202e"
)
VOID = {"img", "input", "link", "meta", "wbr"}


LOADING = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"}


@dataclass(eq=False)
class Node:
    tag: str
    attributes: dict[str, str | None]
    children: list[Node | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    def all(self, tag: str = "", class_: str = "") -> list[Node]:
        return [
            node
            for node in self.walk()
            if tag in ("", node.tag) and (not class_ or class_ in node.classes)
        ]

    def one(self, tag: str = "", class_: str = "") -> Node:
        (found,) = self.all(tag, class_)
        return found

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child.walk()

    @property
    def classes(self) -> list[str]:
        return (self.attributes.get("class") or "").split()

    def section(self, key: str) -> Node:
        (found,) = [n for n in self.walk() if n.attributes.get("id") == key]
        return found


class Parser(HTMLParser):
    """Elements as a tree; what is not closed in its turn is an error."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack = [Node("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}: {attrs}"
        node = Node(tag, dict(attrs))
        self.stack[-1].children.append(node)
        if tag not in VOID:
            self.stack.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.stack[-1].tag, f"</{tag}> closes <{self.stack[-1].tag}>"
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        self.stack[-1].children.append(data)


def parsed(text: str) -> Node:
    parser = Parser()
    parser.feed(text)
    parser.close()
    assert len(parser.stack) == 1, f"<{parser.stack[-1].tag}> is never closed"
    return parser.stack[0]


def written(report: Report, folder: Path) -> str:
    HTML().write(report, folder)
    return (folder / "report.html").read_text("utf-8")


def page(report: Report, folder: Path) -> Node:
    """The page, after what must hold of every page."""
    text = written(report, folder)
    found = parsed(text)
    assert_loads_nothing(found)
    assert_accessible(found)
    assert len(text.encode()) <= 10e6
    return found


def digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def assert_loads_nothing(found: Node) -> None:
    """Neither by an attribute nor by a style; and the policy would forbid it."""
    for node in found.walk():
        for name, value in node.attributes.items():
            assert not name.startswith("on"), f"{node.tag} has {name}"
            assert name != "style", "the policy forbids style attributes"
            if name in LOADING:
                assert (value or "").startswith(("data:image/", "data:,", "#")), f"{name}={value}"
    style, (script,) = found.one("style").text, found.all("script")
    assert "url(" not in style
    assert "@import" not in style
    assert not script.attributes
    policy = found.all("meta")[1].attributes
    assert policy["http-equiv"] == "Content-Security-Policy"
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy["content"]).split(";"))
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": f"'{digest(style)}'",
        "script-src": f"'{digest(script.text)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def assert_accessible(found: Node) -> None:
    ids = [node.attributes["id"] for node in found.walk() if "id" in node.attributes]
    assert len(set(ids)) == len(ids)
    for link in found.all("a"):
        assert str(link.attributes["href"]).removeprefix("#") in ids
    for node in found.walk():
        labels = str(node.attributes.get("aria-labelledby", "")).split()
        assert set(labels) <= set(ids)
    assert all(image.attributes.get("alt") for image in found.all("img"))
    hidden = {n for node in found.walk() if "aria-hidden" in node.attributes for n in node.walk()}
    for svg in found.all("svg"):
        assert svg in hidden or svg.attributes.get("aria-label")
    for head in found.all("th"):
        assert head.attributes["scope"] in ("row", "col")
    levels = [int(n.tag[1]) for n in found.walk() if re.fullmatch("h[1-6]", n.tag)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert found.one("html").attributes["lang"] == "en"


def folder_of(report: Report, label: str, seed: int = 0) -> Path:
    (found,) = [
        o.directory
        for o in report.outcomes
        if (o.trial.subject.label, o.trial.seed) == (label, seed)
    ]
    return found


def rows_of(found: Node, body: str) -> list[list[str]]:
    return [[cell.text for cell in row.children] for row in found.one("tbody", body).all("tr")]


def sections(found: Node) -> list[str]:
    return [str(s.attributes.get("id")) for s in found.one("main").all("section")]


def noise(size: tuple[int, int], mode: str, seed: int = 0) -> Image.Image:
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


def content_of(image: Node) -> bytes:
    return base64.b64decode(str(image.attributes["src"]).partition("base64,")[2])


def decoded(image: Node) -> Image.Image:
    found = Image.open(io.BytesIO(content_of(image)))
    assert str(image.attributes["src"]).startswith(f"data:{found.get_format_mimetype()};")
    return found


def windows(
    count: int, term: str = "gradient_penalty", signals: dict[str, float] | None = None
) -> str:
    lines = [
        {
            "kimg": float(i),
            "iteration": i,
            "seconds": 1.0,
            "images_per_second": 1000.0,
            "g_steps_per_second": 10.0,
            "d_terms": {"real": 1.0 / (i + 1), term: 0.5},
            "g_terms": {"adversarial": float(i % 3)},
            "signals": signals or {},
        }
        for i in range(1, count + 1)
    ]
    return "".join(f"{json.dumps(line)}\n" for line in lines)


def changed(report: Report, how: Callable[[TrialOutcome], dict[str, Any]]) -> Report:
    """The same with changes to its trials' results."""
    made = (replace(o, result=replace(o.result, **how(o))) for o in report.outcomes)
    return replace(report, outcomes=tuple(made))


def large(count: int, seeds: int = 1) -> Report:
    """`count` cells that share nothing but their columns."""
    rng = np.random.default_rng(0)
    folder = Path("nowhere")
    table, run, outcome, row = template()
    rows, outcomes = [], []
    for i in range(count):
        axes = {**row.axes, "loss": f"loss-{i}"}
        label = f"loss-{i}/none/mlp"
        values = {
            name: replace(s, mean=float(rng.uniform(1, 9)), mark="")
            for name, s in row.values.items()
        }
        rows.append(replace(row, axes=axes, label=label, values=values))
        cell = replace(outcome.trial.cell, axes=axes, label=label)
        for seed in range(seeds):
            one = replace(outcome.trial, cell=cell, seed=seed)
            outcomes.append(replace(outcome, trial=one, directory=folder / one.id))
    return Report(run, tuple(outcomes), replace(table, rows=tuple(rows)))


def template() -> tuple[Any, ...]:
    with tempfile.TemporaryDirectory() as folder:
        report = trials.report(Path(folder), {"bce": [trials.finished()]})
    return report.table, report.run, report.outcomes[0], report.table.rows[0]
