"""A path to a model is a folder, a run or a trial; the card in the folder says how to use it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganbench.errors import ConfigError, DataError, GanbenchError, PluginError, RunError
from ganbench.models.saved import card, files, find
from ganbench.models.saved.model import SavedModel
from ganbench.records import run_folder
from ganbench.records.columns import Column
from ganbench.records.results import DataSeen, MetricValue
from ganbench.util.files import write_json
from ganbench.util.terminal import terminal_text

# Places


def test_trials_are_found_by_the_beginning_of_their_names(run):
    whole = find.find(run / "bce-cbn")
    assert whole.parent == run / run_folder.TRIALS
    for path in (whole, run / whole.name, run / "trials" / "bce-cbn", run / "bce-c"):
        assert find.find(path) == whole


def test_a_run_with_one_model_means_it(run, tmp_path):
    one = tmp_path / "run"
    shutil.copytree(run, one)
    for trial in sorted((one / "trials").iterdir())[1:]:
        shutil.rmtree(trial)
    (only,) = (one / "trials").iterdir()
    assert find.find(one) == find.find(one / "trials") == only


def test_several_trials_are_listed(run):
    names = sorted(path.name for path in (run / "trials").iterdir())
    for path in (run, run / "bce-", run / "trials"):
        with pytest.raises(RunError, match=r"3 .* have a model; name one") as raised:
            find.find(path)
        assert str(raised.value).split("\n  ")[1:] == names


def test_whole_names_win_over_beginnings(run, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    first = find.find(copy / "bce-cbn")
    shutil.copytree(first, first.with_name(f"{first.name}0"))
    assert find.find(copy / first.name) == first


@pytest.mark.parametrize("path", ["nowhere", "nowhere/trial", "."])
def test_paths_to_nothing_are_sentences(tmp_path, path):
    with pytest.raises(RunError, match=r"no such folder; name a run, RUN/TRIAL|no model in it"):
        find.find(tmp_path / path)


def test_an_unknown_trial_is_answered_with_those_that_are_there(run):
    with pytest.raises(RunError, match=r"no trial with a model begins with 'wgan'\n  bce-cbn-"):
        find.find(run / "wgan")


def test_trials_without_a_model_say_why(run, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    trial = find.find(copy / "bce-none")
    (trial / files.CONFIG).unlink()
    (trial / files.WEIGHTS).unlink()
    with pytest.raises(RunError, match="no model in it: the trial is unfinished"):
        find.find(trial)
    write_json(trial / "result.json", {"status": "diverged", "reason": "a loss was nan"})
    for path in (trial, copy / "bce-none"):
        with pytest.raises(RunError, match="the trial is diverged: a loss was nan"):
            find.find(path)
    told = json.loads((trial / "trial.json").read_text())
    write_json(trial / "trial.json", {**told, "cell": None, "reference": {"label": "x"}})
    with pytest.raises(RunError, match="judged real images"):
        find.find(trial)


def test_a_run_without_models_says_so(tmp_path):
    (tmp_path / "run" / "trials" / "a-s0").mkdir(parents=True)
    with pytest.raises(RunError, match="none of its 1 trials has left a model; `ganbench show"):
        find.find(tmp_path / "run")


# Cards


def test_the_card_points_to_the_numbers_then_holds_them(folder):
    text = (folder / files.CARD).read_text("utf-8")
    assert "# toys: bce/cbn/dcgan" in text
    assert "3 classes: red, light blue, 2." in text
    assert "They are in `result.json`" in text
    number = MetricValue(Column("fid@pixels", digits=2), 12.3456, "ab12")
    absent = MetricValue(Column("kid"), None, "cd34", "no | weights")
    files.write_card(folder, [number, absent])
    text = (folder / files.CARD).read_text("utf-8")
    assert "| `fid@pixels` | 12.35 | `ab12` |" in text
    assert r"| `kid` | — (no \| weights) | `cd34` |" in text


def test_the_hub_reads_the_numbers_from_the_card(folder):
    numbers = [
        MetricValue(Column("fid@pixels", title="FID"), 12.3456, "ab12"),
        MetricValue(Column("kid"), None, "cd34", "no weights"),
    ]
    files.write_card(folder, numbers)
    (model,) = metadata(folder)["model-index"]
    assert model["name"] == "toys: bce/cbn/dcgan"
    (result,) = model["results"]
    assert result["task"]["type"] == "unconditional-image-generation"
    assert result["dataset"]["type"]
    assert result["metrics"] == [
        {
            "type": "fid@pixels",
            "name": "FID @pixels",
            "value": 12.3456,
            "args": {"protocol": "ab12"},
        }
    ]
    files.write_card(folder, [])
    assert metadata(folder) == {"library_name": "ganbench", "tags": ["gan", "ganbench"]}


def test_the_hubs_own_library_takes_the_card(folder):
    hub = pytest.importorskip("huggingface_hub")
    files.write_card(folder, [MetricValue(Column("fid@pixels"), 12.3456, "ab12")])
    data = hub.ModelCard.load(folder / files.CARD).data
    (result,) = data.eval_results
    assert (result.metric_type, result.metric_value) == ("fid@pixels", 12.3456)
    assert result.metric_args == {"protocol": "ab12"}


def metadata(folder) -> dict[str, Any]:
    _, written, _ = (folder / files.CARD).read_text("utf-8").split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(written)
    return found


def test_the_code_of_the_card_works(folder, monkeypatch):
    text = (folder / files.CARD).read_text("utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(code, names)
    assert isinstance(names["model"], SavedModel)
    assert names["samples"].images.shape[0] == 64


def test_cards_name_the_third_parties_they_need(foreign, folder):
    assert "It needs `toys.py sha256:" in (foreign / files.CARD).read_text("utf-8")
    assert "It needs" not in (folder / files.CARD).read_text("utf-8")


def test_cards_tell_what_was_left_out(folder):
    skipped = tuple(f"{i}|.png: empty, 0 bytes" for i in range(5))
    remarks = ("1 of 9 pictures are strips: a|b.png of 4000×20", "9 images are alike")
    files.write_card(folder, [], DataSeen("", 9, skipped, remarks))
    text = (folder / files.CARD).read_text("utf-8")
    assert "Left out, as they cannot be used: 5 files: `0\\|.png: empty, 0 bytes`, `1\\|" in text
    strip = "1 of 9 pictures are strips: a\\|b.png of 4000×20"
    assert f"What may be wrong with them: {strip}; 9 images are alike." in text
    files.write_card(folder, [])
    text = (folder / files.CARD).read_text("utf-8")
    assert "Left out" not in text
    assert "What may be wrong" not in text


def test_names_are_no_markup(folder):
    config = json.loads((folder / files.CONFIG).read_text())
    text = card.text(
        {**config, "class_names": ["<b>x</b>", "a|b", "[c](d)\n# e", "\x1b[31m\u202e"]}
    )
    assert terminal_text(text) == text
    assert r"\<b\>x\</b\>, a\|b, \[c\](d) \# e, \\u001b\[31m\\u202e." in text


def test_every_error_is_the_users(folder):
    for error in (DataError, RunError, PluginError, ConfigError):
        assert issubclass(error, GanbenchError)
