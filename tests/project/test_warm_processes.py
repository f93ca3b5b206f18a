"""A forked process is to a test what a started one is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers import tiny, warm

SCRIPT = """\
import os, signal, sys
print("out", sys.argv[1], os.getcwd(), os.environ["COLOUR"], "GONE" in os.environ, __name__)
print("err", file=sys.stderr)
what = sys.argv[1]
if what == "raise":
    raise RuntimeError("out of ideas")
if what == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit({"code": 7, "text": "a sentence"}.get(what))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "script.py").write_text(SCRIPT)
    monkeypatch.delenv("GONE", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [
        ("nothing", 0, "err"),
        ("code", 7, "err"),
        ("text", 1, "a sentence"),
        ("raise", 1, "RuntimeError: out of ideas"),
    ],
)
def test_process_has_its_own_surroundings_and_end(
    folder: Path, what: str, code: int, said: str
) -> None:
    done = warm.run("script", what, cwd=folder, environment=tiny.surroundings(COLOUR="red"))
    assert done.returncode == code
    assert done.stdout == f"out {what} {folder} red False __main__\n"
    assert said in done.stderr
    assert os.getcwd() != str(folder)


def test_killed_process_says_by_what_and_the_next_one_runs(folder: Path) -> None:
    killed = warm.run("script", "kill", cwd=folder, environment=tiny.surroundings(COLOUR="red"))
    assert killed.returncode == -9
    after = warm.run("script", "code", cwd=folder, environment=tiny.surroundings(COLOUR="blue"))
    assert (after.returncode, after.stdout.split()[3]) == (7, "blue")


IMPORTED = "import sys; print(*('torch' in sys.modules, 'ganbench' in sys.modules))"


def test_torch_is_there_and_modules_import_ganbench_themselves(tmp_path: Path) -> None:
    (tmp_path / "imported.py").write_text(IMPORTED)
    done = warm.run("imported", cwd=tmp_path, environment=tiny.surroundings())
    assert done.stdout.split() == [str(hasattr(os, "fork")), "False"]


def test_folder_of_pythonpath_comes_before_ganbench(tmp_path: Path) -> None:
    package = tmp_path / "tree" / "ganbench"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(f"{IMPORTED}; print(*sys.argv[1:], sys.path[0])")
    environment = tiny.surroundings(PYTHONPATH=str(package.parent))
    done = warm.run("ganbench", "--help", cwd=tmp_path, environment=environment)
    assert done.stdout == f"{hasattr(os, 'fork')} True\n--help {tmp_path}\n", done.stderr
    assert warm.run("ganbench", "--version", cwd=tmp_path, environment=tiny.surroundings()).stdout


def test_code_that_a_process_starts_finds_its_arguments_and_torch(tmp_path: Path) -> None:
    code = f"{IMPORTED}; print(sys.argv, sys.path[0] == '', __name__, sys.stdin.read())"
    (tmp_path / "starts.py").write_text(
        "import subprocess, sys\n"
        f"command = [sys.executable, '-u', '-c', {code!r}, 'a', 'b']\n"
        "print(subprocess.run(command, capture_output=True, input='in', text=True))\n"
        "print(subprocess.run([sys.executable, '-S', *command[2:]], capture_output=True).stdout)\n"
    )
    done = warm.run("starts", cwd=tmp_path, environment=tiny.surroundings())
    first, second = done.stdout.splitlines()
    warm_one = f"{hasattr(os, 'fork')} {hasattr(os, 'fork')}"  # it names ganbench
    assert f"{warm_one}\\n['-c', 'a', 'b'] True __main__ in\\n" in first
    assert "False False" in second


def test_what_is_read_when_python_starts_makes_a_cold_process(tmp_path: Path) -> None:
    (tmp_path / "hashes.py").write_text("import sys; print(sys.flags.hash_randomization)")
    environment = tiny.surroundings(PYTHONHASHSEED="0")
    assert warm.run("hashes", cwd=tmp_path, environment=environment).stdout == "0\n"
