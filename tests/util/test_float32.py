"""How precise float32 is, said in one place, whichever of torch's two ways others use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
import torch

from ganbench.util import float32
from ganbench.util.process_settings import as_in_a_new_process, put_back

NAMED = hasattr(torch._C, "_set_fp32_precision_setter")
named = pytest.mark.skipif(not NAMED, reason="torch before 2.9 has no names for precisions")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = float32.read()
    with put_back():
        yield
    assert float32.read() == before


def name(operation: str, backend: str = "cuda") -> str:
    found: str = torch._C._get_fp32_precision_getter(backend, operation)
    return found


def flags() -> tuple[str, bool]:
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


def test_exact_and_tf32_are_told_by_flags_and_end_after_an_error():
    before = float32.read()
    for context, expected in ((float32.exact, ("highest", False)), (float32.tf32, ("high", True))):
        with suppress(ZeroDivisionError), context():
            assert flags() == expected
            raise ZeroDivisionError
        assert float32.read() == before


@named
def test_exact_and_tf32_are_told_by_names_too():
    with float32.exact():
        assert {name(o) for o in ("matmul", "conv", "rnn")} == {"ieee"}
    with float32.tf32():
        assert {name(o) for o in ("matmul", "conv", "rnn")} == {"tf32"}
        assert name("conv", "mkldnn") == "ieee"  # of the CPU nothing is rounded
        with float32.exact():
            assert name("conv") == "ieee"
            assert flags() == ("highest", False)
        assert name("conv") == "tf32"
        assert flags() == ("high", True)


@named
def test_what_somebody_named_raises_nothing_and_comes_back():
    torch.backends.fp32_precision = "tf32"
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    with pytest.raises(RuntimeError):
        torch.get_float32_matmul_precision()
    assert float32.read().flags is None
    for context in (float32.exact, as_in_a_new_process):
        with context():
            assert {name(o) for o in ("matmul", "conv", "rnn")} == {"ieee"}
            assert flags() == ("highest", False)  # which can be read again inside
        assert name("matmul") == "tf32"
    torch.backends.fp32_precision = "none"
