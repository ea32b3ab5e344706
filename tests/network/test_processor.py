"""Which device is taken, and what it is told."""

from __future__ import annotations

import pytest
import torch

from cvpipe.errors import UsageError
from cvpipe.network.processor import autocast, pick_device


@pytest.mark.parametrize(
    ("wanted", "there", "taken"), [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu")]
)
def test_auto_takes_cuda_where_there_is_one(
    wanted: str, there: bool, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert pick_device(wanted).type == taken


def test_cuda_that_is_absent_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"no CUDA device found.*--device cpu"):
        pick_device("cuda")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(UsageError, match="no such device 'tpu'"):
        pick_device("tpu")


@pytest.mark.parametrize(("fast", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_half_the_bits_only_where_the_processor_is_fast_at_them(
    fast: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvpipe.network.processor.has_fast_bf16", lambda: fast)
    square = torch.eye(2)
    with autocast(torch.device("cpu")):
        assert (square @ square).dtype == dtype
