"""What GitHub Actions shows of a comparison or a run: a step's summary, and annotations."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ganbench.errors import ConfigError
from ganbench.util.messages import counted

if TYPE_CHECKING:
    from ganbench.gate.comparison import Comparison, Verdict

VARIABLE = "GITHUB_STEP_SUMMARY"
LIMIT = 1024 * 1024  # bytes; of a step whose summary is longer, GitHub shows nothing
RESERVE = 1024  # for the sentence that tells of a cut, and what must be closed before it
PER_LEVEL = 10  # annotations of one level in one step; GitHub drops the others without a word
HEADS = ("verdict", "cell", "number", "evidence")
CUT = "_Cut here: {left} more would pass the 1 MiB that GitHub shows; the run's files hold them._"

_MARKUP = re.compile(r"([\\`*_\[\]|~])")
_SPECIAL = re.compile(r"[\\`*_\[\]|~&<>]")
_MENTION = re.compile(r"(?<![\w/])([@#])(?=\w)")  # of a person or an issue; not as in fid@pixels


def place() -> Path:
    """Return the file of the step's summary. Raises ConfigError outside of GitHub Actions."""
    found = os.environ.get(VARIABLE)
    if not found:
        raise ConfigError(
            f"--github-summary: the variable {VARIABLE} is not set, as it is in a step of GitHub "
            "Actions; elsewhere, set it to the name of a file"
        )
    return Path(found)


def append(path: Path, lines: Iterable[str]) -> None:
    """Add the lines to the summary, as far as there is room. Raises ConfigError."""
    try:
        room = LIMIT - (path.stat().st_size if path.exists() else 0)
        with path.open("ab") as file:
            file.write(_bytes(capped(list(lines), room)))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"--github-summary: {path}: cannot be written: {reason}") from error


def capped(lines: Sequence[str], room: int) -> str:
    """Return the lines that take fewer than so many bytes, and a sentence where some do not fit."""
    text = "".join(f"{line}\n" for line in lines)
    if len(_bytes(text)) < room:
        return text
    kept: list[str] = []
    left = room - RESERVE
    for line in lines:
        left -= len(_bytes(line)) + 1
        if left < 0:
            break
        kept.append(line)
    open_details = sum(line.count("<details>") - line.count("</details>") for line in kept)
    sentence = CUT.format(left=counted(len(lines) - len(kept), "line"))
    ending = ["", *["</details>", ""] * open_details, sentence]
    return "".join(f"{line}\n" for line in [*kept, *ending]) if room > RESERVE else ""


def comparison(found: Comparison, conclusion: str) -> Iterator[str]:
    """Yield a comparison in Markdown: the gated verdicts, and folded up what nobody looks for."""
    equal = [v for v in found.gated("unchanged") if v.kind == "count"]
    gated = [v for v in found.gated() if v.kind != "count" or v.word != "unchanged"]
    others = [v for v in found.verdicts if not v.gated]
    counts = ", ".join(f"{n} {word}" for word, n in found.counts.items())
    yield f"## {code(found.candidate)} against {code(found.baseline)}"
    yield ""
    yield f"**{prose(conclusion)}**"
    yield ""
    yield f"Gated: {counts or 'nothing'}."
    yield from _table(gated)
    yield from _folded(f"{counted(len(equal), 'count')} equal", equal)
    yield from _folded(f"{counted(len(others), 'number')} not gated", others)
    yield ""
    yield from (f"- {prose(note)}" for note in found.notes)
    yield ""


def document(markdown: str) -> Iterator[str]:
    """Yield a reporter's Markdown, fit for a page where @ calls people and # links to issues."""
    for line in markdown.splitlines():
        in_table = line.startswith("|")
        yield _quiet(line.replace("`", "\\`") if in_table else line)
    yield ""


def annotate(
    found: Comparison, fail_on: Collection[str], inconclusive: str, conclusion: tuple[int, str]
) -> list[str]:
    """Return workflow commands for gated verdicts: errors that fail, warnings that leave doubt."""
    fails = {*fail_on, *(["inconclusive"] if inconclusive == "fail" else [])}
    doubts = {"incomparable", *(["inconclusive"] if inconclusive == "warn" else [])} - fails
    errors = [v for v in found.gated() if v.word in fails]
    commands = list(_commands("error", errors))
    exit_code, why = conclusion
    if exit_code and not errors:
        commands.append(command("error", "ganbench", why))
    return [*commands, *_commands("warning", [v for v in found.gated() if v.word in doubts])]


def command(level: str, title: str, message: str) -> str:
    """Return one workflow command, in one line."""
    title = _escaped(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={title}::{_escaped(message)}"


def code(text: str) -> str:
    """Return text as code, which neither mentions nor links, in a table or not."""
    line = _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", _line(text))
    return f"<code>{line}</code>" if line else ""


def prose(text: str) -> str:
    """Return text as words that are taken for no markup, in a table or not."""
    line = _MARKUP.sub(r"\\\1", _line(text))
    return _quiet(line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def _table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    if not verdicts:
        return
    yield ""
    yield f"| {' | '.join(HEADS)} |"
    yield f"|{' --- |' * len(HEADS)}"
    for verdict in verdicts:
        cells = [verdict.word, code(verdict.label), code(verdict.metric)]
        yield f"| {' | '.join([*cells, prose(verdict.evidence)])} |"


def _folded(summary: str, verdicts: Sequence[Verdict]) -> Iterator[str]:
    if verdicts:
        yield from ("", f"<details><summary>{summary}</summary>")
        yield from _table(verdicts)
        yield from ("", "</details>")


def _commands(level: str, verdicts: Sequence[Verdict]) -> Iterator[str]:
    shown = verdicts if len(verdicts) <= PER_LEVEL else verdicts[: PER_LEVEL - 1]
    for verdict in shown:
        title = f"{verdict.word}: {verdict.label}, {verdict.metric}"
        yield command(level, title, verdict.evidence)
    left = len(verdicts) - len(shown)
    if left:
        yield command(level, "ganbench", f"{left} more; the step's summary has them all")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _quiet(line: str) -> str:
    return _MENTION.sub(r"\1<!-- -->", line)


def _line(text: str) -> str:
    return " ".join(text.split())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", errors="replace")
