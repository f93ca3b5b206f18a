"""A repository of results is held to what `submit` writes, and no code of it is run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from helpers.many_runs import write
from PIL import Image

from ganbench.archive import merge, repository, retrained, submission, workflow
from ganbench.errors import RunError
from ganbench.records.run_folder import Run
from ganbench.registry.discovery import lone_file_identity
from ganbench.util import sealed

SOURCE = "raise SystemExit('code of a submission was run')\n"
HOSTILE = "<script>alert(1)</script>\"'&../../etc/\x00\u202epasswd"


def submitted(folder: Path, run: Run) -> Path:
    return submission.write(submission.prepared(run), folder / "shared")


@pytest.fixture
def place(tmp_path) -> Path:
    """A submission of two cells, with pictures."""
    run = write(tmp_path / "run", {"bce": {0: 1.0, 1: 1.5}, "lsgan": {0: 2.0, 1: 3.0}})
    for trial in run.directory.glob("trials/*"):
        Image.new("RGB", (4, 4)).save(trial / "samples.png")
    return submitted(tmp_path, run)


def problems(place: Path) -> list[str]:
    found, told = repository.check(place.parents[1])
    assert found == [place] or told
    return [text.removeprefix(f"{place}: ") for text in told]


def test_what_was_submitted_passes(place):
    assert problems(place) == []


def test_a_merged_run_passes_too(tmp_path):
    runs = [write(tmp_path / name, {"bce": {seed: 1.0}}) for seed, name in enumerate("ab")]
    both = merge.write(merge.merged(runs), runs, tmp_path / "both")
    place = submitted(tmp_path, both)
    assert problems(place) == []
    run = Run.read(place)
    (first, _) = run.outcomes()
    assert retrained.platform_of(run, first) == retrained.platform_of(runs[0], first)


def first(place: Path, name: str) -> Path:
    return next(iter(sorted(place.glob(f"trials/*/{name}"))))


def changed(path: Path, change: Callable[[dict], object], *, seal: bool = True) -> None:
    document = json.loads(path.read_text("utf-8"))
    change(document)
    if seal:
        sealed.write_json(path, {k: v for k, v in document.items() if k != "sha256"})
    else:
        path.write_text(json.dumps(document), "utf-8")


def number(document: dict) -> None:
    document["metrics"][0]["value"] = 0.5


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda p: changed(first(p, "result.json"), number, seal=False), "its SHA-256 is another"),
        (
            lambda p: changed(first(p, "result.json"), lambda d: d.pop("sha256"), seal=False),
            "result.json has no SHA-256, or not its own",
        ),
        (
            lambda p: changed(p / "plan.json", lambda d: d.pop("sha256"), seal=False),
            "plan.json has no SHA-256",
        ),
        (lambda p: (p / "plan.json").write_text("{"), "plan.json is missing or not whole"),
        (
            lambda p: changed(
                first(p, "result.json"), lambda d: next(iter(d["protocols"].values())).update(n=5)
            ),
            "is not what is spelled out",
        ),
        (lambda p: first(p, "result.json").unlink(), "has no result"),
        (lambda p: first(p, "trial.json").unlink(), "a trial begins with this file"),
        (
            lambda p: changed(first(p, "trial.json"), lambda d: d.update(seed=9), seal=False),
            "trial.json is of another cell or seed",
        ),
        (lambda p: first(p, "samples.png").write_bytes(b"MZ"), "none of the files of a submission"),
        (lambda p: (p / "setup.py").write_text(SOURCE), "setup.py is none of the files"),
        (lambda p: (p / "trials" / "x").mkdir(), None),
        (
            lambda p: (first(p, "trial.json").parent / "worker.log").write_text("/home/a"),
            "worker.log is none of the files",
        ),
        (
            lambda p: changed(
                p / "run.json", lambda d: d.update(config="/home/alice/a.yaml"), seal=False
            ),
            "run.json tells of folders: /home/alice/",
        ),
        (
            lambda p: changed(
                p / "run.json", lambda d: d["execution"].update(plugins=["evil"]), seal=False
            ),
            "run.json names code to import: evil",
        ),
        (
            lambda p: changed(p / "run.json", lambda d: d.update(id="../../up"), seal=False),
            "lies elsewhere than its name and id say, which is kit/up",
        ),
    ],
)
def test_what_was_not_submitted_so_is_named(place, spoil, why):
    spoil(place)
    told = problems(place)
    assert any(why in text for text in told) if why else told == []


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("target", ["/etc/passwd", "..", "nowhere"])
def test_links_are_refused(place, target):
    (place / "config.parent.yaml").symlink_to(target)
    assert any("is a link, and a repository has none" in text for text in problems(place))


def test_data_outside_are_refused(tmp_path):
    options = {"path": "pictures/../../secret"}
    place = submitted(tmp_path, write(tmp_path / "run", {"bce": {0: 1.0}}, options=options))
    assert problems(place)[0].endswith("names what lies outside: pictures/../../secret")


def test_hostile_names_become_folders_below_the_repository(tmp_path):
    run = write(tmp_path / "run", {HOSTILE: {0: 1.0}}, name=HOSTILE, dataset=HOSTILE)
    place = submitted(tmp_path, run)
    assert place.is_relative_to(tmp_path / "shared")
    for path in (tmp_path / "shared").rglob("*"):
        assert re.fullmatch(r"[A-Za-z0-9.-]+", path.name), path
    assert not (tmp_path / "etc").exists()


def test_what_is_no_repository_is_refused(tmp_path):
    assert repository.check(tmp_path) == ([], [])
    with pytest.raises(RunError, match="there is no such folder"):
        repository.check(tmp_path / "none")


def with_plugin(folder: Path, content: str = SOURCE, name: str = "mine.py") -> Run:
    """A run whose cells are made of a plugin in one file."""
    (folder / "code").mkdir(parents=True, exist_ok=True)
    path = folder / "code" / name
    path.write_bytes(content.encode())
    source = lone_file_identity(name, content.encode())
    run = write(folder / "run", {"bce": {0: 1.0}}, loss_source=source)
    changed(
        run.directory / "run.json",
        lambda d: d["execution"].update(plugins=[str(path), "a.module"]),
        seal=False,
    )
    return Run.read(run.directory)


def test_a_plugin_of_one_file_comes_along_as_text(tmp_path):
    run = with_plugin(tmp_path)
    found = submission.prepared(run)
    assert found.texts["plugins/mine.py"] == SOURCE
    assert any("source comes along, for all to see: mine.py sha256:" in n for n in found.notes)
    place = submission.write(found, tmp_path / "shared")
    assert (place / "plugins" / "mine.py").read_bytes() == SOURCE.encode()
    assert Run.read(place).info.execution.plugins == ("…/mine.py", "…/a.module")
    assert problems(place) == []  # and nothing of it was run


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda p: (p / "plugins" / "mine.py").write_text("1"), "is no source of its cells"),
        (lambda p: (p / "plugins" / "other.py").write_text("1"), "is no source of its cells"),
        (lambda p: (p / "plugins" / "a b.py").write_text("1"), "none of the files"),
    ],
)
def test_other_sources_than_cells_name_are_refused(tmp_path, spoil, why):
    place = submission.write(submission.prepared(with_plugin(tmp_path)), tmp_path / "shared")
    spoil(place)
    assert any(why in text for text in problems(place))


def test_sources_that_were_changed_or_tell_of_folders_stay_behind(tmp_path):
    run = with_plugin(tmp_path, content="DATA = '/home/alice/data/x.npy'\n")
    found = submission.prepared(run)
    assert not [name for name in found.texts if name.startswith("plugins/")]
    (note,) = [note for note in found.notes if "which are named and do not come along" in note]
    assert "mine.py sha256:" in note
    (tmp_path / "code" / "mine.py").write_text("changed = 1\n")
    assert "plugins/mine.py" not in submission.prepared(run).texts


def test_a_workflow_is_laid_down_once_at_the_top_of_the_repository(tmp_path):
    (tmp_path / ".git").mkdir()
    shared = tmp_path / "some results"
    path = workflow.lay_down(shared)
    assert path == tmp_path / ".github" / "workflows" / "submissions.yml"
    assert path is not None
    found = yaml.safe_load(path.read_text("utf-8"))
    assert found["env"] == {"RESULTS": "some results"}
    assert found[True]["pull_request"]["paths"] == ["some results/**"]
    path.write_text("ours", "utf-8")
    assert workflow.lay_down(shared) is None
    assert path.read_text("utf-8") == "ours"


def test_only_the_job_that_trains_again_runs_code_of_a_submission():
    text = workflow.text()
    found = yaml.safe_load(text)
    assert found["permissions"] == {"contents": "read"}
    assert "secrets." not in text
    assert "pull_request_target" not in text
    commands = {
        name: " ".join(step.get("run", "") for step in job["steps"])
        for name, job in found["jobs"].items()
    }
    assert [name for name, told in commands.items() if "--run-plugins" in told] == ["retrain"]
    assert "ganbench results check" in commands["check"]
    assert all("${{" not in told for told in commands.values())
    assert "only place where the source of a\n# submission's plugins runs" in text
