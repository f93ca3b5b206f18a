"""What code of others sets is put back, each setting of the process alone and all of them."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import pytest
import torch

from ganbench.util import files, process_settings

MEDDLING: dict[str, Callable[[], object]] = {
    "torch's grad mode": lambda: torch.set_grad_enabled(False),
    "torch's default dtype": lambda: torch.set_default_dtype(torch.float64),
    "torch's default device": lambda: torch.set_default_device("meta"),
    "torch's number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "torch's deterministic algorithms": lambda: torch.use_deterministic_algorithms(True),
    "torch's anomaly detection": lambda: torch.autograd.set_detect_anomaly(True),
    "torch's precision of float32": lambda: torch.set_float32_matmul_precision("medium"),
    "cuDNN's benchmark mode": lambda: setattr(torch.backends.cudnn, "benchmark", True),
    "cuDNN's deterministic mode": lambda: setattr(torch.backends.cudnn, "deterministic", True),
    "whether torch uses cuDNN": lambda: setattr(torch.backends.cudnn, "enabled", False),
    "whether torch uses oneDNN": lambda: setattr(torch.backends.mkldnn, "enabled", False),
    "NumPy's handling of errors": lambda: np.seterr(all="raise"),
    "what SIGINT does": lambda: signal.signal(signal.SIGINT, lambda number, frame: None),
    "what SIGTERM does": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
}


def test_every_setting_is_tried() -> None:
    assert {setting.name for setting, _ in process_settings.found()} == set(MEDDLING)


@pytest.mark.parametrize("name", MEDDLING)
def test_setting_is_put_back(name: str) -> None:
    before = process_settings.found()

    @process_settings.put_back()
    def meddle() -> None:
        MEDDLING[name]()
        assert process_settings.changed(before) == [name]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        meddle()
    assert process_settings.changed(before) == []


def test_what_is_drawn_and_where_one_went_is_put_back(tmp_path) -> None:
    with process_settings.as_if_not_called():
        expected = torch.rand(1), np.random.rand(), random.random()
    folder = os.getcwd()
    with process_settings.as_if_not_called():
        torch.manual_seed(5), np.random.seed(5), random.seed(5)
        os.chdir(tmp_path)
    assert os.getcwd() == folder
    assert (torch.rand(1), np.random.rand(), random.random()) == expected


def test_folder_that_was_removed_is_not_gone_back_to(tmp_path, monkeypatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    with files.folder_put_back():
        os.chdir(tmp_path)
        gone.rmdir()
    assert os.getcwd() == str(tmp_path)


def test_threads_beside_the_main_one_leave_signals_alone() -> None:
    raised: list[BaseException] = []

    def act() -> None:
        try:
            with process_settings.put_back():
                pass
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
    assert raised == []


def test_switching_tf32_in_two_ways_is_survived() -> None:
    if not hasattr(torch.backends.cuda.matmul, "fp32_precision"):
        pytest.skip("of torch before 2.9, which has one way")
    with process_settings.put_back():
        with process_settings.put_back():
            torch.backends.cuda.matmul.fp32_precision = "tf32"
        assert torch.get_float32_matmul_precision() == "highest"
        torch.backends.cuda.matmul.fp32_precision = "tf32"
        with process_settings.put_back():  # which cannot tell any more
            pass


def _seen() -> list[object]:
    """What numbers depend on, as this thread finds it."""
    return [
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_default_dtype(),
        torch.get_default_device().type,
        torch.get_float32_matmul_precision(),
        torch.is_autocast_enabled("cpu"),
        torch.ones(1, requires_grad=True).mul(2).requires_grad,
        (torch.ones(1, 1) @ torch.ones(1, 1)).dtype,
    ]


def test_whatever_the_caller_set_is_as_in_a_new_process_and_comes_back() -> None:
    expected = _seen()
    with process_settings.put_back(), ExitStack() as stack:
        torch.set_default_dtype(torch.float64)
        torch.set_float32_matmul_precision("medium")
        for mode in (torch.no_grad(), torch.inference_mode(), torch.device("meta")):
            stack.enter_context(mode)
        for dtype in (torch.bfloat16, torch.float16):
            stack.enter_context(torch.autocast("cpu", dtype))
        odd = _seen()
        with process_settings.as_in_a_new_process():
            assert _seen() == expected
        assert _seen() == odd
        assert all(one != another for one, another in zip(expected, odd, strict=True))
    assert _seen() == expected


def test_default_device_of_the_caller_comes_back() -> None:
    with process_settings.put_back():
        torch.set_default_device("meta")
        with process_settings.as_in_a_new_process():
            assert torch.zeros(1).device.type == "cpu"
        assert torch.zeros(1).device.type == "meta"


def test_autocast_within_the_callers_sees_weights_as_they_are_now() -> None:
    """Inside another autocast, torch keeps the weights as they were cast first."""
    weight = torch.nn.Parameter(torch.ones(1, 1))

    def product() -> float:
        with torch.autocast("cpu", torch.bfloat16):
            return float((torch.ones(1, 1) @ weight).detach())

    with torch.autocast("cpu", torch.bfloat16):
        with process_settings.as_in_a_new_process():
            before = product()
            with torch.no_grad():
                weight.fill_(3.0)
            assert (before, product()) == (1.0, 3.0)
        assert torch.is_autocast_enabled("cpu")
    assert torch.autocast_increment_nesting() == 1
    torch.autocast_decrement_nesting()
