"""The page's table says what other formats say, sorts by numbers in full, explains its marks."""

from __future__ import annotations

from dataclasses import replace

from helpers.pages import BCE, FID, LSGAN, REAL, large, page, rows_of

from ganbench import Report, Summary
from ganbench.default_plugins.reporters.html import summary
from ganbench.default_plugins.reporters.html.byte_budget import ByteBudget
from ganbench.default_plugins.reporters.html.markup import element, escaped


def test_table_has_what_other_reporters_have(report, tmp_path):
    found = page(report, tmp_path).section("results")
    heads = [
        head.text.replace("\N{NO-BREAK SPACE}", " ") for head in found.all("thead")[0].all("th")
    ]
    assert heads[:4] == ["loss", "seeds", f"{FID} ↓", "modes ↑"]
    assert heads[-1] == "status"
    assert found.one("caption").text == "All with conditioning none, architecture mlp."
    ((label, seeds, fid, modes, *_),) = rows_of(found, "references")
    assert (label, seeds, fid, modes) == (REAL, "", "0.001", "8")
    bce, lsgan = rows_of(found, "cells")
    assert bce[:4] == ["bce", "2", "1.250 ± 0.250", "8.0 ± 0.0"]
    assert lsgan[:3] == ["lsgan", "1 (1 failed)", "2.000"]
    assert lsgan[-1] == "ok, failed"
    (best,) = [td for td in found.all("td", "best") if td.text.startswith("1.250")]
    assert best.one("b").text == "1.250 ± 0.250"
    assert "bold: the best" in found.text


def test_heads_sort_by_numbers_in_full(report, tmp_path):
    values = dict(report.table.rows[1].values)
    values[FID] = replace(values[FID], mean=1.23456789, error=None)
    rows = (report.table.rows[0], replace(report.table.rows[1], values=values))
    found = page(replace(report, table=replace(report.table, rows=rows)), tmp_path)
    heads = found.one("thead").all("th")
    assert {head.attributes["aria-sort"] for head in heads} == {"none"}
    firsts = [head.one("button").attributes["data-first"] for head in heads]
    assert firsts[:6] == ["text", "text", "text", "max", "min", "max"]
    fid = found.one("tbody", "cells").all("td")[3]
    assert (fid.text, fid.attributes["data-v"]) == ("1.235", "1.23456789")


def test_missing_values_have_no_key_and_their_reason(report, tmp_path):
    rows = tuple(
        replace(row, values={**row.values, "modes": Summary(None, None, 0, reason="none")})
        for row in report.table.rows
    )
    found = page(replace(report, table=replace(report.table, rows=rows)), tmp_path)
    missing = [td for td in found.one("tbody", "cells").all("td") if td.text == "—"]
    assert len(missing) == 2
    assert all("data-v" not in td.attributes for td in missing)
    assert {td.attributes["title"] for td in missing} == {"none"}


def test_ties_are_marked_and_explained(runs, tmp_path):
    results = {
        BCE: [runs.result({FID: v}) for v in (1.0, 2.0)],
        LSGAN: [runs.result({FID: v}) for v in (1.1, 2.1)],
        "wgan-gp/none/mlp": [runs.result({FID: v}) for v in (8.0, 9.0)],
    }
    run = runs.write(results, runs.TEXT.replace("lsgan", "lsgan, wgan-gp"))
    found = page(Report.of(run), tmp_path).section("results")
    assert [td.text[:2] for td in found.all("td", "tied")] == ["≈ ", "≈ "]
    assert found.text.count("tied with the best within the standard errors of both") == 1


def test_more_rows_than_fit_are_in_the_csv(tmp_path, monkeypatch):
    monkeypatch.setattr(summary, "MOST_BYTES", 20_000)
    found = page(large(200), tmp_path)
    kept = len(found.one("tbody", "cells").all("tr"))
    assert 10 < kept < 200
    assert f"{200 - kept} more rows are in table.csv" in found.section("results").text


def test_markup_escapes_all_but_itself():
    made = element("td", "<&>", element("b", 'a "quote"'), None, title='"><', hidden=True, id=None)
    assert made == '<td title="&#34;&gt;&lt;" hidden>&lt;&amp;&gt;<b>a &#34;quote&#34;</b></td>'
    assert escaped(made) == made
    assert escaped("a\x00b\x85\n\tc") == "a\ufffdb\ufffd\n\tc"
    assert element("img", alt="") == '<img alt="">'


def test_budget_is_spent_in_bytes_and_in_order():
    assert ByteBudget(5).fitting(["é", "abc", "", "x"]) == (["é", "abc", ""], 1)
    assert ByteBudget(3).fitting(["abcd", "a"]) == ([], 2)  # none out of its turn
