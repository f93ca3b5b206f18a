"""The table of a run for a paper."""

from __future__ import annotations

import re

import pytest
from helpers.tables import BCE, FID, LSGAN, REAL, THREE, WGAN

from ganbench import Report
from ganbench.errors import ConfigError
from ganbench.reports import latex


@pytest.fixture
def report(runs):
    """Three losses, of which two tie, and the real test set."""
    results = {
        REAL: [runs.reference({FID: 0.5, "modes": 8.0})],
        BCE: [runs.result({FID: v, "modes": 8.0}) for v in (1.0, 2.0)],
        LSGAN: [runs.result({FID: v, "modes": 8.0}) for v in (1.5, 2.5)],
        WGAN: [runs.result({FID: v, "modes": 3.0}) for v in (9.0, 9.5)],
    }
    return Report.of(runs.write(results, THREE))


def test_a_table_has_the_rules_of_booktabs_and_a_cell_for_each_head(report):
    text = latex.table(report).text
    for rule in ("\\toprule", "\\bottomrule", "\\begin{table}", "\\end{table}"):
        assert text.count(rule) == 1
    assert text.count("\\midrule") == 2
    (columns,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", text)
    lines = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert len(lines) == 5
    assert {len(re.split(r"(?<!\\)&", line)) for line in lines} == {len(columns)}


def test_the_best_is_bold_ties_are_marked_and_values_have_errors(report):
    text = latex.table(report, ["fid"]).text
    assert "bce & 2 & $\\approx$ 1.500 $\\pm$ 0.500" in text
    assert "lsgan & 2 & $\\approx$ 2.000 $\\pm$ 0.500" in text
    assert "wgan-gp & 2 & 9.250 $\\pm$ 0.250" in text
    modes = latex.table(report, ["modes"]).text
    assert "FID" not in modes


def test_a_single_best_is_bold_but_for_its_error(runs):
    results = {BCE: [runs.result({FID: v}) for v in (1.0, 1.1)], LSGAN: [runs.result({FID: 9.0})]}
    text = latex.table(Report.of(runs.write(results))).text
    assert "\\textbf{1.050} $\\pm$ 0.050" in text
    assert "Bold: the best of its column." in text


def test_the_caption_names_budget_protocol_and_seeds(report):
    (caption,) = re.findall(r"\\caption\{(.*)\}\n", latex.table(report).text)
    assert "bench on ring." in caption
    assert "All with conditioning none." in caption
    assert "over training seeds (0, 1)" in caption
    assert "Budget: 1.0 thousand real images shown to D" in caption
    assert "aaaa1111" in caption
    assert "tied with the best" in caption


def test_columns_are_chosen_and_what_is_left_out_is_told(report):
    assert "g-parameters" in latex.table(report).notes[0]
    assert latex.table(report, ["modes"]).notes == ()
    with pytest.raises(ConfigError, match="no column 'mode'"):
        latex.table(report, ["mode"])


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a_b & 50% $x$ #1 {y}", r"a\_b \& 50\% \$x\$ \#1 \{y\}"),
        ("\\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
        ("~^<>|", r"\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}\textbar{}"),
        ("two\nlines\x1b", r"two lines\textbackslash{}u001b"),
        ("a--b---c", "a-{}-b-{}-{}-c"),
        ("é 模 ± ≈", r"é [U+6A21] $\pm$ $\approx$"),
    ],
)
def test_nothing_in_a_name_is_a_command(text, written):
    assert latex.escaped(text).startswith(written)
