"""Text of others in tables: neither markup, nor formulas, nor orders to a terminal."""

import pandas as pd
import pytest

from ganbench import markdown_cell, spreadsheet_cell
from ganbench.archive.long_form import write_records


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a | b\nc", "a \\| b c"),
        ("<script>x", "&lt;script>x"),
        ("[x](javascript:alert(1))", "[x\\](javascript:alert(1))"),
        ("\\[x][y]", "\\\\[x\\][y]"),
        ("[x]: javascript:0", "[x\\]: javascript:0"),
        ("modes[ring8]", "modes[ring8]"),
        ("\x1b[2J", "\\\\u001b[2J"),
        ("**0.5** ± 1", "**0.5** ± 1"),
    ],
)
def test_text_in_markdown_is_text(text: str, cell: str) -> None:
    assert markdown_cell(text) == cell


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1"])
def test_text_in_spreadsheets_is_no_formula(text: str) -> None:
    assert spreadsheet_cell(text) == f"'{text}"


def test_what_spreadsheets_take_for_no_formula_stays() -> None:
    assert [spreadsheet_cell(x) for x in ("a=1", "", -1.5, None)] == ["a=1", "", -1.5, None]


def test_results_csv_has_no_formulas(tmp_path) -> None:
    class Run:
        directory = tmp_path

        def frame(self) -> pd.DataFrame:
            return pd.DataFrame({"cell": ['=HYPERLINK("x")', "a"], "value": [-1.0, None]})

        def outcomes(self) -> list:
            return []

        def remember_data(self, seen: dict) -> None:
            assert seen == {}

    write_records(Run())
    assert (tmp_path / "results.csv").read_text() == 'cell,value\n"\'=HYPERLINK(""x"")",-1.0\na,\n'
