"""What reaches a terminal, and what becomes of a command where nothing can be written."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from helpers import tiny, warm

ESCAPE = "\\e]0;owned\\a\\e[31m\\u009b2J\\u202e"  # as YAML writes them
RAW = "\x1b\x07\x9b\u202e"
HOSTILE = tiny.INLINE.replace("seeds:", f'description: "{ESCAPE}"\nseeds:')


def is_clean(text: str) -> bool:
    return not set(RAW) & set(text)


def test_terminal_escapes_in_a_file_reach_the_terminal_as_text(tmp_path: Path) -> None:
    path = tiny.write(tmp_path, HOSTILE.replace("loss: [bce", f'loss: ["{ESCAPE}", bce'))
    done = tiny.ganbench("plan", path, cwd=tmp_path)
    assert done.returncode == 2
    assert "unknown loss '\\u001b]0;owned\\u0007" in done.stderr
    assert is_clean(done.stderr)
    done = tiny.ganbench("plan", path, "--json", cwd=tmp_path)
    assert "unknown loss '\x1b]0;owned\x07" in json.loads(done.stdout)["error"]["message"]
    assert is_clean(done.stdout)


def test_plugins_escapes_reach_neither_pipes_nor_terminals(tmp_path: Path) -> None:
    plugin = tiny.write_trouble(tmp_path)
    text = plugin.read_text("utf-8").replace('"""Misbehaves."""', f'"""Mis{RAW}behaves [red]."""')
    plugin.write_text(text, "utf-8")
    done = tiny.ganbench("plugins", "--plugin", plugin, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Mis\\u001b\\u009b\\u202ebehaves [red]." in done.stdout
    assert is_clean(done.stdout)
    done = tiny.ganbench("plugins", "--plugin", plugin, "--json", cwd=tmp_path)
    [listed] = [one for one in json.loads(done.stdout) if one["name"] == "trouble"]
    assert listed["summary"] == f"Mis{RAW}behaves [red]."
    assert is_clean(done.stdout)


def test_a_terminal_gets_colours_and_no_orders_of_others(tmp_path: Path) -> None:
    plan = tiny.write(tmp_path, HOSTILE.replace("width: 16", f'width: 16, "{ESCAPE}": 1'))
    ours, theirs = pty.openpty()
    process = warm.start(
        "ganbench", "plan", plan, cwd=tmp_path, environment=tiny.surroundings(TERM="xterm"),
        stdout=theirs, stderr=theirs,
    )  # fmt: skip
    assert process.wait(60) == 2
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "has no option '\\u001b]0;owned" in shown
    assert is_clean(shown)


@pytest.mark.parametrize("is_full", [True, False])
def test_a_run_whose_output_cannot_be_written_writes_its_files(
    tmp_path: Path, is_full: bool
) -> None:
    if is_full:
        output = os.open("/dev/full", os.O_WRONLY)
    else:
        read, output = os.pipe()  # of which nobody reads, as after `| head`
        os.close(read)
    path = tiny.write(tmp_path, tiny.INLINE.replace("[bce, lsgan]", "[bce]"))
    with (tmp_path / "stderr").open("w") as errors:
        process = warm.start(
            "ganbench", "run", path, "--out", "run", "--quiet", cwd=tmp_path,
            environment=tiny.surroundings(), stdout=output, stderr=errors,
        )  # fmt: skip
        os.close(output)
        code = process.wait(60)
    assert (tmp_path / "run" / "table.json").exists()
    assert (tmp_path / "run" / "table.md").exists()
    told = "error: standard output could not be written: no space left on device\n"
    assert (tmp_path / "stderr").read_text("utf-8") == (told if is_full else "")
    assert code == (2 if is_full else 0)


def test_standard_streams_may_be_closed(tmp_path: Path) -> None:
    for closed in (">&-", "2>&-", "<&-", ">&- 2>&- <&-"):
        script = f'"$@" {closed}'
        done = subprocess.run(
            ["bash", "-c", script, "bash", *tiny.command("plugins")],
            cwd=tmp_path, env=tiny.surroundings(), capture_output=True, text=True,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert ("projection" in done.stdout) == (not closed.startswith(">"))


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_json_is_utf_8_whatever_the_terminals_encoding_is(tmp_path: Path, encoding: str) -> None:
    """Text is not, and shows a question mark for what the encoding lacks."""
    for arguments in ([], ["--json"]):
        done = subprocess.run(
            tiny.command("show", "−", *arguments),
            cwd=tmp_path,
            env=tiny.surroundings(PYTHONIOENCODING=encoding, PYTHONUTF8="0"),
            capture_output=True,
        )
        assert done.returncode == 2
        shown = done.stdout.decode("utf-8") if arguments else done.stderr.decode("ascii")
        assert ("−: " if arguments else "?: ") in shown


def test_a_folder_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path) -> None:
    folder = "x" * 5000  # as good as one that may not be read, which nothing hides from root
    for command in (["weights"], ["datasets"], ["list", folder]):
        done = tiny.ganbench(*command, cwd=tmp_path, GANBENCH_DATA=folder)
        assert "Traceback" not in done.stderr
        assert done.returncode == 0 or "cannot be used: file name too long" in done.stderr
        assert done.returncode in (0, 2)
