"""Commands start light, ask no network unasked, and write where they say alone."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner
from helpers import tiny

from ganbench.cli import COMMANDS, cli

LOSS = """\
from dataclasses import dataclass

from ganbench import Loss, hookimpl


@dataclass(kw_only=True)
class Square(Loss):
    name = "square"

    def discriminator_loss(self, step):
        return {"a": (step.real.logits - 1).square().mean() + step.fake.logits.square().mean()}

    def generator_loss(self, step):
        return {"a": (step.fake.logits - 1).square().mean()}


@hookimpl
def register_losses(register):
    register(Square)
"""
RUN = ["run", "tiny.yaml", "--out", "run", "-q", "--plugin", "square.py", "--set",
       "matrix.loss=[square]"]  # fmt: skip
UNASKED = (
    ["run", "--list"],
    ["plan", "tiny.yaml", "--no-estimate"],
    RUN,
    ["resume", "run", "-q"],
    ["show", "run"],
    ["report", "run", "--format", "markdown"],
    ["compare", "run", "run"],
    ["list", "."],
    ["export", "run", "--to", "openmetrics", "--out", "metrics.txt"],
    ["plugins", "list"],
    ["plugins", "check", "square.py"],
    ["datasets", "list"],
    ["weights"],
    ["doctor"],
    ["schema"],
)
"""Commands as people type them, in an order in which each finds what it needs."""
WRITING = (
    ["new", "--from", "ring_modes", "--out", "copy.yaml"],
    ["sample", "run", "-n", "4", "--out", "samples.png"],
    ["datasets", "preview", "mnist", "-q", "--out", "digits.png"],
)
NAMED = {"run", "metrics.txt", "copy.yaml", "samples.png", "digits.png"}


def python(code: str, cwd: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=tiny.surroundings(), capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def foreign(names: Sequence[str]) -> set[str]:
    """Which packages that are not Python's own are among modules."""
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"__main__"}


def test_import_ganbench_imports_nothing_but_itself(tmp_path: Path) -> None:
    code = "import sys; old = {*sys.modules}; import ganbench; dir(ganbench); ganbench.__all__\n"
    found = python(code + "print(*({*sys.modules} - old))", tmp_path)
    assert foreign(found) == {"ganbench"}
    heavy = {"asyncio", "multiprocessing", "subprocess", "urllib.request", "http.client", "ssl"}
    assert not heavy & {*found}


def test_help_imports_click_alone(tmp_path: Path) -> None:
    code = """
import sys
old = {*sys.modules}
from ganbench.cli import main
sys.argv = ["ganbench", "--help"]
sys.stdout = open("said", "w", encoding="utf-8")
try:
    main()
finally:
    print(*({*sys.modules} - old), file=sys.__stdout__, flush=True)
"""
    assert foreign(python(code, tmp_path)) - {"colorama"} == {"ganbench", "click"}
    assert all(name in (tmp_path / "said").read_text("utf-8") for name in COMMANDS)


def test_no_commands_help_imports_torch(tmp_path: Path) -> None:
    code = f"""
import sys
import click
from ganbench.cli import cli

def visit(arguments, command):
    cli.main([*arguments, "--help"], standalone_mode=False)
    assert not {{"torch", "numpy", "pandas", "matplotlib"}} & {{*sys.modules}}, arguments
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            visit([*arguments, name], command.get_command(context, name))

visit([], cli)
for light in (["run", "--list"], ["new", "--from", "ring_modes"], ["--version"]):
    cli.main(light, standalone_mode=False)
    assert "torch" not in sys.modules, light
assert {sorted(COMMANDS)!r}
"""
    python(code, tmp_path)


class Refused(BaseException):
    """Somebody asked the network."""


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """No way out of this process, and the ways that were tried."""
    tried: list[Any] = []

    def refuse(*asked: Any, **how: Any) -> NoReturn:
        tried.append(asked)
        raise Refused(str(asked))

    def connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            refuse(address)
        type(self).__mro__[1].connect(self, address)  # type: ignore[attr-defined]

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    monkeypatch.setattr(socket.socket, "sendto", refuse)
    for name in ("getaddrinfo", "create_connection", "gethostbyname", "gethostbyname_ex"):
        monkeypatch.setattr(socket, name, refuse)
    return tried


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a benchmark and a plugin, whose surroundings are empty."""
    for name in ("home", "tmp", "cache", "here"):
        (tmp_path / name).mkdir()
    text = tiny.INLINE.replace("[markdown, csv, json]", "[html, csv]")
    tiny.write(tmp_path / "here", text)
    (tmp_path / "here" / "square.py").write_text(LOSS, "utf-8")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    return tmp_path / "here"


def test_nobody_asks_the_network_unasked(here: Path, offline: list[Any]) -> None:
    with pytest.raises(Refused):
        socket.create_connection(("example.org", 80))
    with socket.socket() as one, pytest.raises(Refused):
        one.connect(("127.0.0.1", 9))
    offline.clear()
    for arguments in (*UNASKED, *WRITING):
        done = CliRunner().invoke(cli, arguments)
        assert offline == [], arguments
        assert not isinstance(done.exception, Exception), (arguments, done.exception)
    assert (here / "run" / "report.html").is_file()


def test_nothing_is_written_but_what_was_asked_for(here: Path) -> None:
    above = here.parent
    surroundings = {
        "HOME": str(above / "home"),
        "TMPDIR": str(above / "tmp"),
        "GANBENCH_CACHE": str(above / "cache"),
        "XDG_CACHE_HOME": str(above / "home" / "cache"),
        "XDG_CONFIG_HOME": str(above / "home" / "config"),
    }
    for arguments in (*UNASKED, *WRITING):
        done = tiny.ganbench(*arguments, cwd=here, **surroundings)
        assert "error" not in done.stderr, (arguments, done.stderr)
    found = {path.name for path in here.iterdir()}
    assert found == {"tiny.yaml", "square.py", *NAMED}
    assert [path.name for path in (above / "home").rglob("*")] == []
    assert [path.name for path in (above / "tmp").rglob("*")] == []
    assert {path.name for path in above.iterdir()} == {"home", "tmp", "cache", "here"}
