"""Damaged run folders: each command that reads one ends with a sentence and a known exit code.

    python benchmarks/fuzz/run_folders.py --count 3000 --seed 0

Takes a run that an earlier ganbench wrote, damages one or two of its files, and runs the command
line in this process; `resume` does everything but train. Whatever ends with a traceback, takes
longer than the limit or exits with a code that no document names is printed with the number that
makes it again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from click.testing import CliRunner
from limits import TooLong, limited

import ganbench
from ganbench.cli import cli
from ganbench.errors import GanbenchError
from ganbench.reports.exporters import FILES
from ganbench.runs import runner

ROOT = Path(__file__).parents[2]
RUN = ROOT / "tests" / "records" / "earlier_run"
LIMIT = 20.0  # seconds
EXIT_CODES = range(6)
NUMBERS = ("NaN", "Infinity", "1e999", "1e308", "-1e308", "9" * 5000, "9" * 250, '"1.5"')
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 1e-320, 10**25, 2**63, "", "ok", "1.5", "\x1b[31m", "\ud800",
    "é" * 5000, "/dev/zero", "../../..", [], [1], {}, {"a": 1}, {"": {}}, [[[[]]]], 99,
    "<script>", "=1+1",
)  # fmt: skip
CONTENTS = (
    b"", b"[1]", b"null", b"{}", b"7", b'"text"', b"\xff\xfe{}", b"[" * 100_000, b'{"a":' * 500,
    b"9" * 5000, b"\x00" * 100, b'{"schema_version": 99}', b'{"status": "ok"}', b"- a\n- b\n",
    b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\ndescription: [*c, *c]\n",
    b"description: " + b"[" * 20_000, b"PK\x03\x04", b"ganbench sealed sha256 00\n",
)  # fmt: skip
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("show", "RUN"), ("show", "RUN", "--json"), ("list", "ROOT"), ("list", "ROOT", "--json"),
    ("compare", "RUN", "WHOLE"), ("compare", "WHOLE", "RUN", "--json", "--all"),
    ("compare", "RUN", "RUN"), ("noise", "RUN", "--all"), ("noise", "RUN", "--json"),
    *(("report", "RUN", "--format", f) for f in ("console", "html", "markdown", "csv", "json")),
    ("report", "RUN", "--out", "OUT/page.html"), ("report", "RUN", "--published"),
    *(("export", "RUN", "--to", to, "--out", "OUT") for to in FILES),
    ("export", "RUN", "--to", "junit", "--against", "WHOLE", "--out", "OUT"),
    ("baseline", "update", "RUN", "--reason", "x", "--min-seeds", "1"),
    ("resume", "RUN", "--quiet"), ("resume", "RUN", "--json"),
    ("sample", "RUN", "-n", "2", "--out", "OUT/two.npz"), ("load_run",),
)  # fmt: skip


def damage(folder: Path, choice: random.Random) -> str:
    """Change one file of a run for the worse, and say how."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    name = choice.choice(sorted({path.name for path in paths}))
    path = choice.choice([path for path in paths if path.name == name])
    if path.suffix == ".json" and choice.random() < 0.6:
        return f"{path.name}: {_changed(path, choice)}"
    how = choice.choice([_filled, _cut, _flipped, _replaced, _removed])
    return f"{path.name}: {how(path, choice)}"


def _changed(path: Path, choice: random.Random) -> str:
    """Give one place of a JSON document another value, or none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):  # damaged already
        return _filled(path, choice)
    holder: Any = found
    places = []
    while isinstance(holder, dict | list) and holder and choice.random() < 0.9:
        places.append(
            (
                holder,
                choice.choice(list(holder) if isinstance(holder, dict) else range(len(holder))),
            )
        )
        holder = holder[places[-1][1]]
    if not places:
        return _filled(path, choice)
    where, key = places[-1]
    if choice.random() < 0.25:
        del where[key]
        value = "left out"
    elif choice.random() < 0.3:
        value = choice.choice(NUMBERS)
        where[key] = "A NUMBER"
    else:
        value = where[key] = choice.choice(VALUES)
    path.write_text(json.dumps(found).replace('"A NUMBER"', str(value)), "utf-8")
    return f"{'.'.join(str(k) for _, k in places)} is {value!r:.40}"


def _filled(path: Path, choice: random.Random) -> str:
    content = choice.choice(CONTENTS)
    path.write_bytes(content)
    return f"holds {content[:20]!r}"


def _cut(path: Path, choice: random.Random) -> str:
    length = choice.randrange(path.stat().st_size + 1)
    os.truncate(path, length)
    return f"cut to {length}"


def _flipped(path: Path, choice: random.Random) -> str:
    content = bytearray(path.read_bytes() or b"\n")
    for _ in range(choice.choice((1, 1, 8))):
        content[choice.randrange(len(content))] ^= 1 << choice.randrange(8)
    path.write_bytes(content)
    return "flipped bits"


def _removed(path: Path, choice: random.Random) -> str:
    path.unlink()
    return "removed"


def _replaced(path: Path, choice: random.Random) -> str:
    """Put something in the file's place that is no file, or none of reason."""
    path.unlink()
    what = choice.choice(["pipe", "folder", "loop", "zeros", "nowhere", "huge"])
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "huge":
        path.touch()
        os.truncate(path, 70_000_000)
    else:
        path.symlink_to({"loop": path.name, "zeros": "/dev/zero", "nowhere": "no/such"}[what])
    return f"is now {what}"


def ended(arguments: Sequence[str], limit: float = LIMIT) -> tuple[str, str]:
    """Run a command in this process; return how it ended in a word, and a traceback or nothing."""
    try:
        with limited(limit):
            if arguments[0] == "load_run":
                ganbench.load_run(arguments[1]).frame()
                return "exit 0", ""
            done = CliRunner().invoke(cli, list(arguments), standalone_mode=False)
    except TooLong:
        return "hung", traceback.format_exc(limit=-8)
    except GanbenchError:
        return "refused", ""
    except Exception:
        return "traceback", traceback.format_exc(limit=-8)
    if isinstance(done.exception, GanbenchError):
        return "refused", ""
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        told = "".join(traceback.format_exception(done.exception, limit=-8))
        return "traceback", told
    code = done.return_value if done.exception is None else done.exit_code
    return f"exit {code}", "" if code in EXIT_CODES else f"exit code {code}"


def case(whole: Path, place: Path, seed: int, number: int) -> tuple[str, str, str]:
    """Damage a copy of a run and let one command read it; return what was done and how it ended."""
    choice = random.Random(f"{seed}/{number}")
    run = place / "runs" / "run"
    shutil.copytree(whole, run)
    done = [damage(run, choice) for _ in range(choice.choice((1, 1, 2)))]
    places = {"RUN": run, "WHOLE": whole, "ROOT": place / "runs", "OUT": place}
    command = choice.choice(COMMANDS)
    arguments = [word.replace("OUT/", f"{place}/") for word in command]
    arguments = [str(places.get(word, word)) for word in arguments]
    if command[0] == "load_run":
        arguments.append(str(run))
    word, told = ended(arguments)
    return f"{' '.join(command)} after {'; '.join(done)}", word, told


def begun(place: Path, run: Path) -> Path:
    """Return a copy of a run that believes that it was begun here."""
    whole = place / "whole"
    shutil.copytree(run, whole)
    info = json.loads((whole / "run.json").read_text("utf-8"))
    (whole / "run.json").write_text(json.dumps({**info, "cwd": str(place)}), "utf-8")
    return whole


@contextmanager
def nothing_trained() -> Iterator[None]:
    """Let `resume` do everything but run trials, and keep all output out of the terminal."""
    untrained: Callable[..., Any] = lambda *arguments: iter(())  # noqa: E731
    with mock.patch.object(runner, "_run_trials", untrained):
        yield


def run_cases(
    numbers: Sequence[int], seed: int, source: Path = RUN
) -> tuple[Counter[str], list[str]]:
    """Try the cases of these numbers; return how many ended how, and what is wrong with which."""
    counts: Counter[str] = Counter()
    wrong = []
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, nothing_trained():
        whole = begun(Path(folder), source)
        try:
            for number in numbers:
                place = Path(folder) / str(number)
                place.mkdir()
                os.chdir(place)
                what, word, told = case(whole, place, seed, number)
                counts[word] += 1
                if told:
                    wrong.append(f"case {number} of seed {seed}: {word}: {what}\n{told}")
                os.chdir(before)
                shutil.rmtree(place)
        finally:
            os.chdir(before)
    return counts, wrong


def main() -> int:
    """Run as the command line says; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    asked = parser.parse_args()
    started = time.monotonic()
    counts, wrong = run_cases(range(asked.first, asked.first + asked.count), asked.seed)
    print(*wrong, sep="\n")
    told = ", ".join(f"{count:,} {word}" for word, count in sorted(counts.items()))
    print(f"{asked.count:,} commands in {time.monotonic() - started:.0f} s: {told}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
