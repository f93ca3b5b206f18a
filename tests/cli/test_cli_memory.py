"""A command that the memory does not suffice for says so, and is no error of ganbench."""

from __future__ import annotations

import pytest
import torch

from ganbench import cli
from ganbench.cli import exit_codes

LACKS = [
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    MemoryError("Unable to allocate 8 TiB for an array"),
    torch.OutOfMemoryError("CUDA out of memory"),
]


@pytest.mark.parametrize("error", LACKS, ids=lambda error: type(error).__name__)
def test_it_is_a_sentence(monkeypatch, capsys, error) -> None:
    assert _ended_with(error, monkeypatch) == exit_codes.USAGE
    said = capsys.readouterr().err
    assert said.startswith("error: the memory does not suffice; ask for less at a time: ")
    assert "Traceback" not in said


def test_other_errors_are_still_ours(monkeypatch, capsys) -> None:
    _ended_with(RuntimeError("shapes differ"), monkeypatch)
    said = capsys.readouterr().err
    assert "this is an error of ganbench, please report it: RuntimeError: shapes differ" in said
    assert "Traceback" in said


def _ended_with(error: BaseException, monkeypatch) -> int:
    def raises(**_):
        raise error

    monkeypatch.setattr(cli.cli, "main", raises)
    return cli._code(wants_json=False)
