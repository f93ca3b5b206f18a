"""A reporter adds a section to report.html: as the guide does, escaped, within the budget."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from helpers.pages import HOSTILE, page, parsed, sections
from markupsafe import Markup

from ganbench import Report, Reporter, Section
from ganbench.cli import cli
from ganbench.contracts.reporters import with_sections
from ganbench.default_plugins.reporters import HTML, JSON, html
from ganbench.records.run_folder import RUN
from ganbench.registry import registry
from ganbench.runs import runner
from ganbench.testing import check_plugin
from ganbench.util import files

GUIDE = Path(__file__).parents[3] / "docs" / "plugins.md"


@dataclass(kw_only=True)
class Adds(Reporter):
    """Whatever sections it is made with."""

    name = "adds"
    added: tuple[Section, ...] = ()

    def write(self, report: Report, directory: Path) -> None:
        pass

    def sections(self, report: Report) -> tuple[Section, ...]:
        return self.added


@pytest.fixture
def guide_file(tmp_path: Path) -> Path:
    text = GUIDE.read_text("utf-8")
    found = re.search(r"section:start -->\n```python\n(.*?)```\n<!-- section:end", text, re.DOTALL)
    assert found
    path = tmp_path / "slowest.py"
    path.write_text(found[1], "utf-8")
    return path


def test_section_of_the_guide_is_in_the_page(report, tmp_path, guide_file):
    plugins = registry.load([str(guide_file)])
    slowest = plugins.build("reporter", "slowest", {"count": 2})
    assert [result.message for result in check_plugin(slowest) if not result.passed] == []
    found = page(with_sections(report, [HTML(), slowest]), tmp_path)
    added = found.section("added-1")
    assert added.one("h2").text == "Slowest cells"
    assert [item.text for item in added.all("li")] == [
        "real test set (ring): 12.5 s",
        "lsgan/none/mlp: 12.5 s",
    ]
    assert "Slowest cells" in [link.text for link in found.one("nav").all("a")]


def test_text_is_escaped_by_its_type(report, tmp_path):
    one = Section(HOSTILE, HOSTILE)
    two = Section("b", Markup("<p class='hint'>{}</p>").format(HOSTILE))
    found = page(with_sections(report, [Adds(added=(one, two))]), tmp_path)
    for key in ("added-1", "added-2"):
        assert "</script></style><script>alert(1)" in found.section(key).one("p").text
    assert len(found.all("script")) == 1
    assert sections(found).index("added-2") == sections(found).index("added-1") + 1


def test_section_that_is_too_large_is_left_out_by_name(report, tmp_path, monkeypatch):
    monkeypatch.setattr(html, "MOST_BYTES", 100_000)
    large = Adds(
        added=(Section("Large", "x" * 150_000), Section("Small", "y"), Section("Empty", Markup()))
    )
    found = page(with_sections(report, [large]), tmp_path)
    assert (tmp_path / "report.html").stat().st_size <= 100_000
    assert "xxx" not in found.text
    assert "Left out to keep this file small." in found.section("added-1").text
    assert found.section("added-2").one("p").text == "y"
    assert "added-3" not in sections(found)


def test_every_reporter_is_handed_what_all_of_them_add(report):
    seen: list[Report] = []

    class Sees(Adds):
        def write(self, report: Report, directory: Path) -> None:
            seen.append(report)

    first, last = Sees(added=(Section("a", "b"),)), Sees(added=(Section("c", "d"),))
    runner.report(report.run, registry.Registry(), [first, last])
    assert [[s.title for s in r.sections] for r in seen] == [["a", "c"]] * 2


def test_no_reporter_sees_what_another_changed(report):
    seen: list[Report] = []

    class Meddles(Adds):
        def write(self, report: Report, directory: Path) -> None:
            seen.append(copy.deepcopy(report))
            for row in report.table.rows:
                row.values.clear()
            for outcome in report.outcomes:
                outcome.result.seconds.clear()

        def sections(self, report: Report) -> tuple[Section, ...]:
            self.write(report, Path())
            return ()

    given = runner.report(report.run, registry.Registry(), [Meddles(), Meddles()])
    assert len(seen) == 4
    assert all(one == given == Report.of(report.run) for one in seen)
    assert any(row.values for row in given.table.rows)


def test_page_that_is_made_again_has_the_sections(report, tmp_path, guide_file, monkeypatch):
    loaded = registry.load([str(guide_file)])
    monkeypatch.setattr(registry, "load", lambda: loaded)
    about: Any = files.read_json(report.run.directory / RUN)
    names = ["html", "slowest", "gone"]  # a plugin of --plugin, or one that is uninstalled
    about["reporters"] = [{"name": name, "options": {}} for name in names]
    files.write_json(report.run.directory / RUN, about)
    args = ["report", str(report.run.directory), "--format", "html"]
    shown = CliRunner().invoke(cli, args, catch_exceptions=False)
    assert parsed(shown.stdout).section("added-1").one("h2").text == "Slowest cells"


def test_other_formats_are_as_without_sections(report, tmp_path):
    JSON().write(report, tmp_path)
    before = (tmp_path / "table.json").read_bytes()
    JSON().write(replace(report, sections=(Section("a", "b"),)), tmp_path)
    assert (tmp_path / "table.json").read_bytes() == before
