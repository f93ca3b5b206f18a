"""The guide to a gate in CI and the workflows: every command is there, rights are least."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from ganbench.cli import cli
from ganbench.cli.exit_codes import INTERRUPTED, TERMINATED
from ganbench.gate.comparison import WORDS
from ganbench.pytest_plugin import _OPTIONS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "ci.md").read_text("utf-8")
WORKFLOWS = {
    path.name: path for path in sorted((ROOT / ".github" / "workflows").glob("benchmark*.yml"))
}
PULL_REQUEST, COMMENT, NIGHTLY = "benchmark.yml", "benchmark-comment.yml", "benchmark-nightly.yml"
STOPS = ("|", "||", "&&", ";", ">", ">>", "2>&1")
ON = True  # what YAML 1.1 makes of the key `on`


def workflow(name: str) -> dict[Any, Any]:
    return yaml.safe_load(WORKFLOWS[name].read_text("utf-8"))


def steps(name: str) -> Iterator[dict[str, Any]]:
    for job in workflow(name)["jobs"].values():
        yield from job["steps"]


def scripts(name: str) -> dict[str, str]:
    return {step["name"]: step["run"] for step in steps(name) if "run" in step}


def shell_lines() -> list[str]:
    guide = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    gitlab = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]
    found = [line for text in guide for line in text.splitlines()]
    found += [line for text in gitlab for line in text.get("benchmark", {}).get("script", [])]
    found += [line for name in WORKFLOWS for s in scripts(name).values() for line in s.splitlines()]
    found += re.findall(r"`(ganbench [^`]+)`", GUIDE)
    return found


def ganbench_lines() -> list[str]:
    """Up to the first comment, pipe or redirection."""
    found = []
    for line in shell_lines():
        if line.strip().startswith("ganbench "):
            words = shlex.split(line.split("  #")[0])
            end = min((words.index(stop) for stop in STOPS if stop in words), default=None)
            found.append(shlex.join(words[:end]))
    return list(dict.fromkeys(found))


def context(words: list[str]) -> click.Context:
    """Of the command with these arguments; raises UsageError where it would."""
    command: click.Command = cli
    while isinstance(command, click.Group):
        assert words, f"a command of {command.name} is wanted"
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"there is no command {words[0]}"
        command, words = found, words[1:]
    return command.make_context(command.name, words)


def test_guide_and_workflows_name_many_commands():
    named = {line.split()[1] for line in ganbench_lines()}
    assert named >= {"run", "compare", "baseline", "ab", "noise", "export", "report"}


@pytest.mark.parametrize("line", ganbench_lines())
def test_every_command_line_is_understood(line):
    words = shlex.split(line)[1:]
    if len(words) == 1:  # in a sentence, and named only
        assert words[0] in cli.list_commands(click.Context(cli))
    else:
        context(words)


def test_every_option_in_a_sentence_exists():
    top = click.Context(cli)
    commands = [cli.get_command(top, name) for name in cli.list_commands(top)]
    known = {o for c in commands if c for p in c.params for o in p.opts} | set(_OPTIONS)
    others = {"--collect-only"}
    for option in re.findall(r"`(--[a-z-]+)", GUIDE):
        assert option in known | others, option


def test_options_of_pytest_exist():
    for line in shell_lines():
        for option in re.findall(r"--ganbench[a-z-]*", line):
            assert option in _OPTIONS


def test_guide_explains_every_verdict():
    for outcome in WORDS:
        assert f"\n| `{outcome}` |" in GUIDE


def test_reference_explains_every_exit_code():
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text("utf-8")
    codes = re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE)
    assert codes == ["0", "1", "2", "3", "4", "5", f"{INTERRUPTED}, {TERMINATED}"]


def test_files_that_the_guide_names_exist():
    for path in re.findall(r"\]\(\.\./([^)]+)\)", GUIDE):
        assert (ROOT / path).is_file()
    for path in set(re.findall(r"benchmarks/\w+\.yaml", GUIDE)):
        assert (ROOT / path).is_file()


@pytest.mark.parametrize("block", ["false-alarms", "power"])
def test_guide_has_room_for_the_tables_that_a_script_makes(block):
    assert re.search(rf"<!-- {block}:start -->.*?<!-- {block}:end -->", GUIDE, re.DOTALL)


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL))
def test_yaml_of_the_guide_parses(text):
    assert yaml.safe_load(text)


def test_there_are_the_three_workflows():
    assert set(WORKFLOWS) == {PULL_REQUEST, COMMENT, NIGHTLY}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_are_careful(name):
    found = workflow(name)
    assert "permissions" in found
    assert "pull_request_target" not in found[ON]
    for job in found["jobs"].values():
        assert job["timeout-minutes"] <= 120
    for step in steps(name):
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w/-]+@v\d+", step["uses"]), step["uses"]
        if "actions/checkout@" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False
        assert "${{" not in step.get("run", ""), "what others wrote must not become a shell's text"
    text = WORKFLOWS[name].read_text("utf-8")
    assert "secrets." not in text


@pytest.mark.parametrize("name", [PULL_REQUEST, NIGHTLY])
def test_workflows_that_run_code_can_only_read(name):
    found = workflow(name)
    assert found["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in found["jobs"].values())
    assert found["defaults"]["run"]["shell"] == "bash"  # which is with pipefail
    text = WORKFLOWS[name].read_text("utf-8")
    assert "--index-url https://download.pytorch.org/whl/cpu" in text
    assert "cache: pip" in text
    assert "actions/upload-artifact@" in text


def test_workflow_that_comments_runs_no_code_of_the_pull_request():
    found = workflow(COMMENT)
    assert list(found[ON]) == ["workflow_run"]
    assert found[ON]["workflow_run"]["workflows"] == [workflow(PULL_REQUEST)["name"]]
    assert found["permissions"] == {}
    (job,) = found["jobs"].values()
    rights = job["permissions"]
    assert [right for right, level in rights.items() if level == "write"] == ["pull-requests"]
    assert rights == {"actions": "read", "pull-requests": "write"}
    used = [step["uses"].split("@")[0] for step in job["steps"]]
    assert used == ["actions/download-artifact", "actions/github-script"]
    (script,) = (step["with"]["script"] for step in job["steps"] if "script" in step["with"])
    assert "${{" not in script.replace("${run.", "")
    assert "head.sha === run.head_sha" in script


def test_artifact_that_is_written_is_the_one_that_is_read():
    written = {
        step["with"]["name"]: step["with"]
        for step in steps(PULL_REQUEST)
        if "upload-artifact" in step.get("uses", "")
    }
    (read,) = (s["with"] for s in steps(COMMENT) if "download-artifact" in s["uses"])
    page = written[read["name"]]
    name = Path(page["path"]).name
    assert f"{read['path']}/{name}" in WORKFLOWS[COMMENT].read_text("utf-8")
    assert f'"$OUT/{name}"' in WORKFLOWS[PULL_REQUEST].read_text("utf-8")


@pytest.mark.parametrize("code", [0, 1, 3, 4])
@pytest.mark.parametrize("step", ["Numerics", "Quality", "Throughput"])
def test_steps_end_as_the_gate_does_and_leave_a_page(step, code, tmp_path):
    """With another ganbench in the place of ours, which ends so."""
    stub = tmp_path / "bin" / "ganbench"
    stub.parent.mkdir()
    stub.write_text(
        '#!/bin/sh\necho "$@"\n[ "$GITHUB_STEP_SUMMARY" ] && echo "page of $1" '
        f'>> "$GITHUB_STEP_SUMMARY"\ncase "$1" in ab|compare) exit {code};; esac\n'
    )
    stub.chmod(0o755)
    page = tmp_path / "step.md"
    page.touch()
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", scripts(PULL_REQUEST)[step]],
        env={
            "PATH": f"{stub.parent}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_STEP_SUMMARY": str(page),
            "OUT": str(tmp_path / "out"),
            "BASE": "abc",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    assert page.read_text() == (tmp_path / "out" / "summary.md").read_text()
    assert "page of" in page.read_text()
    if step != "Quality":
        assert "--base abc" in done.stdout
        assert "--github-summary" in done.stdout
