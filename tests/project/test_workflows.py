"""The project's own workflows: on which systems, with which rights, and what they call is there."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
OWN = ("tests.yml", "integration.yml", "release.yml", "submissions.yml")
ON = True  # what YAML 1.1 makes of the key `on`
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def workflow(name: str) -> dict[Any, Any]:
    return yaml.safe_load((FOLDER / name).read_text("utf-8"))


def steps(name: str) -> Iterator[dict[str, Any]]:
    for job in workflow(name)["jobs"].values():
        yield from job["steps"]


def lines(name: str) -> Iterator[str]:
    for step in steps(name):
        yield from step.get("run", "").splitlines()


def pythons() -> list[str]:
    heads = "Programming Language :: Python :: "
    found = [c.removeprefix(heads) for c in PROJECT["classifiers"] if c.startswith(heads)]
    return [version for version in found if "." in version]


def test_there_are_these_and_those_to_copy() -> None:
    names = {path.name for path in FOLDER.glob("*.yml")}
    assert {name for name in names if not name.startswith("benchmark")} == set(OWN)


@pytest.mark.parametrize("name", OWN)
def test_workflows_are_careful(name: str) -> None:
    found = workflow(name)
    assert found["permissions"] in ({}, {"contents": "read"})
    assert found["defaults"]["run"]["shell"] == "bash"  # which is with pipefail
    assert "pull_request_target" not in found[ON]
    assert "secrets." not in (FOLDER / name).read_text("utf-8")
    for job in found["jobs"].values():
        assert job["timeout-minutes"] <= 120
    for step in steps(name):
        action = step.get("uses", "")
        pinned = r"v\d+" if action.startswith("actions/") else r"(v\d+\.\d+\.\d+|[0-9a-f]{40})"
        assert not action or re.fullmatch(r"[\w-]+/[\w-]+@" + pinned, action), action
        if "actions/checkout@" in action:
            asked = {"fetch-depth": 0, "persist-credentials": False}  # tags are versions
            assert step["with"] == asked
        assert "${{" not in step.get("run", ""), "what others wrote must not become a shell's text"


def test_suite_runs_on_every_system_and_python() -> None:
    suite = workflow("tests.yml")["jobs"]["suite"]
    matrix = suite["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == pythons()
    assert all(version in SpecifierSet(PROJECT["requires-python"]) for version in pythons())
    assert f">={pythons()[0]}" == PROJECT["requires-python"]
    assert suite["strategy"]["fail-fast"] is False  # one system's fault hides no other's


def test_oldest_and_newest_of_what_it_needs_are_tried() -> None:
    tried = workflow("tests.yml")["jobs"]["bounds"]["strategy"]["matrix"]["include"]
    assert tried == [
        {"resolution": "lowest-direct", "python": pythons()[0]},
        {"resolution": "highest", "python": pythons()[-1]},
    ]


def test_every_change_is_held_to_all_that_make_does() -> None:
    done = " ".join(lines("tests.yml"))
    _, _, lint = MAKEFILE.partition("\nlint:")
    for command in re.findall(r"^\t\$\(BIN\)/(.+)$", lint.partition("\n\n")[0], re.MULTILINE):
        assert command in done
    assert "--platform win32" in done
    assert "--platform darwin" in done
    assert set(workflow("tests.yml")[ON]) == {"push", "pull_request"}


@pytest.mark.parametrize("name", OWN)
def test_what_workflows_call_is_there(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for line in lines(name):
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            assert set(words[1:]) <= targets, line
        for word in words:
            if word.startswith(".ci/"):
                assert (ROOT / word).is_file(), line
                assert os.access(ROOT / word, os.X_OK) or words[0] == "python", line


@pytest.mark.parametrize("script", ["packages", "try-packages"])
def test_scripts_stop_at_what_fails(script: str) -> None:
    assert "\nset -euo pipefail\n" in (ROOT / ".ci" / script).read_text("utf-8")


def test_only_what_publishes_may_publish() -> None:
    """By trusted publishing, with nobody's password, after it was built, checked and tried."""
    found = workflow("release.yml")
    assert list(found[ON]) == ["push"]
    assert found[ON]["push"] == {"tags": ["v*", "ganbench-*-v*"]}
    jobs = found["jobs"]
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "build": {"contents": "read"},
        "publish": {"id-token": "write"},
        "announce": {"contents": "write"},
    }
    assert jobs["publish"]["needs"] == "build"
    assert jobs["publish"]["environment"] == "pypi"
    used = [step["uses"].split("@")[0] for step in jobs["publish"]["steps"]]
    assert used == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]
    assert "with" not in jobs["publish"]["steps"][1]
    scripts = " ".join(step.get("run", "") for step in jobs["build"]["steps"])
    for script in (".ci/release.py", ".ci/packages", ".ci/try-packages"):
        assert script in scripts


def test_forms_ask_what_doctor_says() -> None:
    from ganbench.cli.commands.doctor import command

    assert "--json" in {option for p in command.params for option in p.opts}
    forms = [*(ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")]
    forms.remove(ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml")
    assert len(forms) >= 2
    for path in [*forms, ROOT / ".github" / "pull_request_template.md", ROOT / "SECURITY.md"]:
        assert "ganbench doctor --json" in path.read_text("utf-8"), path.name
    for path in forms:
        form = yaml.safe_load(path.read_text("utf-8"))
        assert {"name", "description", "body"} <= set(form)
        assert all(field["attributes"]["label"] for field in form["body"])


def test_commit_hooks_are_the_tools_of_make_lint() -> None:
    (own,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    called = {hook["entry"].removeprefix(".venv/bin/").split()[0] for hook in own["hooks"]}
    assert called == {"ruff", "mypy"}
    assert all(f"\t$(BIN)/{tool}" in MAKEFILE for tool in called)


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_containers_run_the_demo_as_nobody_in_particular(kind: str) -> None:
    text = (ROOT / "containers" / f"{kind}.Dockerfile").read_text("utf-8")
    last = dict(line.split(maxsplit=1) for line in text.splitlines() if line[:1].isupper())
    assert (last["ENTRYPOINT"], last["CMD"]) == ('["ganbench"]', '["run", "cgan_mnist"]')
    assert last["USER"] == "nobody"
    assert last["FROM"].rpartition(":")[2].split("-")[0] in pythons()
    assert ("whl/cpu" in text) == (kind == "cpu")


def test_submissions_are_held_to_what_others_repositories_hold_them_to() -> None:
    from ganbench.archive import workflow as laid_down

    text = (FOLDER / laid_down.NAME).read_text("utf-8")
    assert text == laid_down.text("results/published", install="-e .")
