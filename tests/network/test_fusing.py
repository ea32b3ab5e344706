"""A network made ready to answer says what it said in training's own layers."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn

from cvpipe.network import fusing
from cvpipe.network.architecture import Design
from cvpipe.network.designs import build_network
from cvpipe.network.fusing import FusedConv, can_fuse, folded, fused


def _random_norms(module: nn.Module) -> nn.Module:
    """Norms as a training leaves them; fresh ones change nothing, so that forgetting one would not show."""
    generator = torch.Generator().manual_seed(3)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for values, low in (
                (norm.weight, 0.5),
                (norm.bias, -0.5),
                (norm.running_mean, -0.5),
                (norm.running_var, 0.5),
            ):
                values.data.uniform_(low, low + 1, generator=generator)  # type: ignore[union-attr]
    return module.eval()


def _picture(side: int = 64, channels: int = 3) -> Tensor:
    made = torch.rand(2, channels, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return made.contiguous(memory_format=torch.channels_last)


def _plain(module: nn.Module) -> nn.Module:
    folded(module)
    return module


def _fused(module: nn.Module) -> nn.Module:
    fused(module, torch.float32)
    return module


@torch.inference_mode()
@pytest.mark.parametrize("made", [_plain, _fused])
@pytest.mark.parametrize("encoder", ["tu-mobilenetv2_100", "resnet18", "tu-regnety_002", "tu-mobilenetv3_small_100"])
def test_answers_stay_the_same(encoder: str, made: Callable[[nn.Module], nn.Module]) -> None:
    """Also of encoders whose activation comes after a sum, which no convolution may do."""
    torch.manual_seed(0)
    module = _random_norms(build_network(Design(encoder=encoder)))
    due = module(_picture(), _picture().flip(2))
    found = made(module)(_picture(), _picture().flip(2))
    for ours, theirs in zip(found, due, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


@pytest.mark.skipif(not can_fuse(), reason="this build of torch has no oneDNN")
def test_the_released_design_has_no_activation_left_that_a_convolution_could_do() -> None:
    module = _random_norms(build_network(Design()))
    fused(module, torch.bfloat16)
    assert not [one for one in module.modules() if isinstance(one, nn.Conv2d | nn.BatchNorm2d | nn.ReLU | nn.ReLU6)]
    assert {one.weight.dtype for one in module.modules() if isinstance(one, FusedConv)} == {torch.bfloat16}


@torch.inference_mode()
@pytest.mark.skipif(not can_fuse(), reason="this build of torch has no oneDNN")
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("groups", [1, 8])
def test_padding_at_the_end_is_had_by_a_larger_kernel(kernel: int, stride: int, groups: int) -> None:
    torch.manual_seed(0)
    conv = Conv2dSame(8, 8, kernel, stride=stride, groups=groups)
    picture = _picture(32, channels=8)
    found = FusedConv(conv, nn.ReLU6(), torch.float32)(picture)
    assert torch.allclose(found, torch.clamp(conv(picture), 0, 6), atol=1e-5)


@torch.inference_mode()
def test_without_onednn_norms_are_folded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusing, "can_fuse", lambda: False)
    plain = _random_norms(nn.Sequential(nn.Conv2d(3, 4, 3), BatchNormAct2d(4)))
    module = copy.deepcopy(plain)
    fused(module, torch.bfloat16)
    assert [type(one) for one in module.children()] == [nn.Conv2d, nn.ReLU]
    assert torch.allclose(module(_picture()), plain(_picture()), atol=1e-5)
