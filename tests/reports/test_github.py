"""GitHub's page and annotations: nothing in a name breaks them, and neither grows too large."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ganbench.cli import cli
from ganbench.cli.gating import conclude
from ganbench.errors import ConfigError
from ganbench.gate.comparison import Comparison, Policy, Verdict
from ganbench.reports import github
from ganbench.util import files

DEFAULT = ("regressed", "failed", "missing")
NASTY = "a|b <script> `c` *d* [e](f) \\| @someone #12\nnext"
BCE, LSGAN = "bce/none/mlp", "lsgan/none/mlp"


def verdict(outcome: Any, label: str = BCE, metric: str = "fid@x", **more: Any) -> Verdict:
    return Verdict("c0", label, metric, outcome, f"because {outcome}", **{"gated": True, **more})


def compared(*verdicts: Verdict, notes: tuple[str, ...] = ()) -> Comparison:
    return Comparison("base.json", "candidate", Policy(), verdicts, notes)


def page(found: Comparison, why: str = "gate: passed") -> str:
    return "\n".join(github.comparison(found, why))


def annotated(found: Comparison, *, fail_on=DEFAULT, inconclusive="warn", code=1) -> list[str]:
    return github.annotate(found, fail_on, inconclusive, (code, "gate: why"))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("bce/none/mlp", "<code>bce/none/mlp</code>"),
        ("fid@mnist-cnn-v1", "<code>fid@mnist-cnn-v1</code>"),
        ("a|b", "<code>a&#124;b</code>"),
        ("a\\|b", "<code>a&#92;&#124;b</code>"),
        ("<b>&amp;", "<code>&#60;b&#62;&#38;amp;</code>"),
        ("`x` ``y``", "<code>&#96;x&#96; &#96;&#96;y&#96;&#96;</code>"),
        ("two\r\nlines\there", "<code>two lines here</code>"),
        ("", ""),
    ],
)
def test_names_are_code_whatever_is_in_them(text, escaped):
    assert github.code(text) == escaped


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("n 3 against 10: median 1.6, ratio 1.596", "n 3 against 10: median 1.6, ratio 1.596"),
        ("a|b", "a\\|b"),
        ("a\\|b", "a\\\\\\|b"),
        ("<img src=x> & co", "&lt;img src=x&gt; &amp; co"),
        ("use `ganbench ab`", "use \\`ganbench ab\\`"),
        ("*x* _y_ [z](u) ~w~", "\\*x\\* \\_y\\_ \\[z\\](u) \\~w\\~"),
        ("one\ntwo", "one two"),
        ("ask @someone about #12", "ask @<!-- -->someone about #<!-- -->12"),
        ("fid@pixels of run#3", "fid@pixels of run#3"),
    ],
)
def test_prose_is_taken_for_no_markup(text, escaped):
    assert github.prose(text) == escaped


def test_page_has_counts_verdicts_and_the_others_folded():
    found = compared(
        verdict("regressed"),
        verdict("unchanged", LSGAN),
        verdict("inconclusive", metric="modes", gated=False),
        notes=("measured on different platforms: torch 2.15, was 2.14",),
    )
    lines = page(found, "gate: failed: 1 regressed").splitlines()
    assert lines[0] == "## <code>candidate</code> against <code>base.json</code>"
    assert "**gate: failed: 1 regressed**" in lines
    assert "Gated: 1 regressed, 1 unchanged." in lines
    row = "| regressed | <code>bce/none/mlp</code> | <code>fid@x</code> | because regressed |"
    fold = lines.index("<details><summary>1 number not gated</summary>")
    assert lines.index(row) < fold < lines.index("</details>")
    assert any(line.startswith("| inconclusive ") for line in lines[fold:])
    assert lines[fold + 1] == ""  # or the table in it would not be one
    assert "- measured on different platforms: torch 2.15, was 2.14" in lines


def test_equal_counts_are_folded_too():
    counts = [verdict("unchanged", metric=name, kind="count") for name in ("kimg", "g-updates")]
    text = page(compared(verdict("regressed", metric="g-parameters", kind="count"), *counts))
    shown, folded = text.split("<details><summary>2 counts equal</summary>")
    assert "Gated: 1 regressed, 2 unchanged." in shown
    assert "<code>g-parameters</code>" in shown
    assert "<code>kimg</code>" not in shown
    assert "<code>kimg</code>" in folded


def test_page_of_nothing_says_so():
    text = page(compared(), "gate: nothing was measured")
    assert "Gated: nothing." in text
    assert "|" not in text
    assert "<details>" not in text


def test_every_row_has_as_many_cells_as_the_head():
    found = compared(verdict("regressed", NASTY, NASTY), verdict("missing", gated=False))
    rows = [line for line in page(found).splitlines() if line.startswith("|")]
    assert len(rows) == 6
    for row in rows:
        assert len(re.findall(r"(?<!\\)\|", row)) == 5
        assert "<script" not in row
        assert "`" not in row.replace("\\`", "")


def test_reporters_table_calls_nobody_and_stays_a_table():
    text = "# bench\n\n| a `b` @c | 1 |\n\n- `ganbench show` of @d, see #5 and fid@pixels"
    assert list(github.document(text)) == [
        "# bench",
        "",
        "| a \\`b\\` @<!-- -->c | 1 |",
        "",
        "- `ganbench show` of @<!-- -->d, see #<!-- -->5 and fid@pixels",
        "",
    ]


@pytest.mark.parametrize(
    ("title", "message", "command"),
    [
        ("a", "b", "::error title=a::b"),
        ("a: b, c", "d: e, f", "::error title=a%3A b%2C c::d: e, f"),
        ("5%", "100%0A", "::error title=5%25::100%250A"),
        ("a\r\nb", "c\r\nd", "::error title=a%0D%0Ab::c%0D%0Ad"),
        ("a::b", "::error::c", "::error title=a%3A%3Ab::::error::c"),
    ],
)
def test_workflow_commands_are_one_line_with_everything_escaped(title, message, command):
    assert github.command("error", title, message) == command


def test_annotations_are_of_gated_verdicts_only():
    found = compared(
        verdict("regressed"),
        verdict("improved"),
        verdict("inconclusive"),
        verdict("incomparable"),
        verdict("regressed", gated=False),
        verdict("new", gated=False),
    )
    assert annotated(found) == [
        "::error title=regressed%3A bce/none/mlp%2C fid@x::because regressed",
        "::warning title=inconclusive%3A bce/none/mlp%2C fid@x::because inconclusive",
        "::warning title=incomparable%3A bce/none/mlp%2C fid@x::because incomparable",
    ]


@pytest.mark.parametrize(
    ("outcome", "how", "levels"),
    [
        ("regressed", {}, ["error"]),
        ("regressed", {"fail_on": (), "code": 0}, []),
        ("incomparable", {"code": 4}, ["error", "warning"]),  # the first says that nothing was
        ("incomparable", {"fail_on": ("incomparable",)}, ["error"]),
        ("inconclusive", {"inconclusive": "warn", "code": 0}, ["warning"]),
        ("inconclusive", {"inconclusive": "ok", "code": 0}, []),
        ("inconclusive", {"inconclusive": "fail", "code": 4}, ["error"]),
        ("unchanged", {"code": 0}, []),
        ("improved", {"code": 0}, []),
    ],
)
def test_level_is_what_the_gate_makes_of_the_verdict(outcome, how, levels):
    found = annotated(compared(verdict(outcome)), **how)
    assert [re.match(r"::(\w+)", line)[1] for line in found] == levels


@pytest.mark.parametrize(("count", "shown"), [(10, 10), (11, 10), (500, 10)])
def test_github_shows_ten_of_a_level_so_the_last_sums_up_the_rest(count, shown):
    many = [verdict(o, f"c{i}") for o in ("regressed", "inconclusive") for i in range(count)]
    lines = annotated(compared(*many))
    for level in ("error", "warning"):
        of_level = [line for line in lines if line.startswith(f"::{level} ")]
        assert len(of_level) == shown
        if count > shown:
            assert f"::{count - 9} more; the step's summary has them all" in of_level[-1]


def test_page_is_cut_below_what_github_shows_and_says_so(tmp_path):
    path = tmp_path / "summary.md"
    path.write_text("é" * 100_000, "utf-8")
    many = [verdict("regressed", f"ü{i}", gated=i < 3) for i in range(30_000)]
    github.append(path, github.comparison(compared(*many), "gate: failed"))
    data = path.read_bytes()
    assert github.LIMIT - 2 * github.RESERVE < len(data) < github.LIMIT
    text = data.decode("utf-8")
    assert re.search(r"\n_Cut here: [\d,]+ lines more would pass the 1 MiB", text)
    assert text.count("<details>") == text.count("</details>") == 1
    rows = [line for line in text.splitlines() if line.startswith("| regressed")]
    assert all(row.endswith(" |") for row in rows)
    github.append(path, ["one line more"] * 10_000)
    github.append(path, ["and more"] * 10_000)
    assert len(path.read_bytes()) < github.LIMIT


@pytest.mark.parametrize("room", [0, 1, github.RESERVE, github.RESERVE + 1, 3000])
def test_no_room_is_never_passed(room):
    assert len(github.capped(["x" * 10] * 1000, room).encode()) <= room


def test_short_text_is_whole():
    assert github.capped(["a", "b"], 100) == "a\nb\n"


def test_text_that_is_no_unicode_is_written_all_the_same(tmp_path):
    github.append(tmp_path / "s.md", ["a \udc80 b"])
    assert (tmp_path / "s.md").read_text("utf-8") == "a ? b\n"


def test_outside_of_github_is_a_sentence(monkeypatch):
    monkeypatch.delenv(github.VARIABLE, raising=False)
    with pytest.raises(ConfigError, match=r"GITHUB_STEP_SUMMARY is not set.*name of a file"):
        github.place()


def test_page_that_cannot_be_written_is_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match=r"--github-summary: .* cannot be written: is a direct"):
        github.append(tmp_path, ["x"])


def test_json_stays_one_document_and_annotations_go_to_stderr(tmp_path, capsys):
    found = compared(verdict("regressed", candidate=(1.0,), baseline=(2.0,)))
    how: Any = {"everything": False, "page": tmp_path / "s.md"}
    assert conclude(found, DEFAULT, "warn", as_json=True, **how) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["exit_code"] == 1
    assert shown.err.startswith("::error title=regressed")
    assert conclude(found, DEFAULT, "warn", as_json=False, **how) == 1
    assert "\n::error title=regressed" in capsys.readouterr().out
    assert (tmp_path / "s.md").read_text("utf-8").count("## <code>candidate</code>") == 2


def invoke(*arguments: object, **variables: str | None) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments], env=variables)


@pytest.fixture
def run(runs: Any) -> Path:
    runs.write({label: [runs.result({"fid@mnist-cnn-v1": 1.0})] * 3 for label in (BCE, LSGAN)})
    about = json.loads((runs.folder / "run.json").read_text("utf-8"))
    about["provenance"] = {"packages": {"torch": "2"}, "python": "3"}
    files.write_json(runs.folder / "run.json", about)
    return runs.folder


@pytest.mark.parametrize("command", ["report", "compare"])
def test_commands_ask_for_the_variable_before_anything_else(command, run):
    arguments = [run] if command == "report" else [run, run]
    done = invoke(command, *arguments, "--github-summary", **{github.VARIABLE: None})
    assert isinstance(done.exception, ConfigError)
    assert done.output == ""


def test_compare_writes_the_page(run, tmp_path):
    summary = tmp_path / "s.md"
    arguments = ("compare", run, run, "--gate", "fid@mnist-cnn-v1", "--github-summary")
    done = invoke(*arguments, **{github.VARIABLE: str(summary)})
    assert done.exit_code == 0, done.output
    text = summary.read_text("utf-8")
    assert "| unchanged | <code>bce/none/mlp</code> | <code>fid@mnist-cnn-v1</code> |" in text
    assert "::" not in done.output


def test_report_prints_the_table_and_adds_it_to_the_page(run, tmp_path):
    summary = tmp_path / "s.md"
    summary.write_text("before\n", "utf-8")
    done = invoke("report", run, "--github-summary", **{github.VARIABLE: str(summary)})
    assert done.exit_code == 0, done.output
    assert done.stdout == invoke("report", run).stdout
    text = summary.read_text("utf-8")
    assert text.startswith("before\n# bench\n\n| loss |")
    assert "| bce |" in text
