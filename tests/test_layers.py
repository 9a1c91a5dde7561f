"""Weights made ready once: what comes out is what autocast alone gives, whatever has happened to the weights."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from jedi_sdk import JEDI
from jedi_sdk.layers import Conv2d, Linear

LAYERS: dict[str, Callable[[], tuple[nn.Module, nn.Module, Tensor]]] = {
    "linear": lambda: (Linear(8, 4), nn.Linear(8, 4), torch.randn(3, 8)),
    "no bias": lambda: (Linear(8, 4, bias=False), nn.Linear(8, 4, bias=False), torch.randn(3, 8)),
    "convolution": lambda: (Conv2d(8, 4, 3, padding=1), nn.Conv2d(8, 4, 3, padding=1), torch.randn(3, 8, 6, 6)),
    "strided": lambda: (
        Conv2d(8, 4, 3, stride=2, padding=1),
        nn.Conv2d(8, 4, 3, stride=2, padding=1),
        torch.randn(3, 8, 6, 6),
    ),
}


def written_to(layer: nn.Module) -> None:
    with torch.no_grad():
        layer.weight.mul_(-2)  # pyright: ignore[reportCallIssue]


def trained(layer: nn.Module) -> None:
    """By an optimiser that writes without saying so."""
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, fused=True)
    x = torch.ones(3, 8) if isinstance(layer, nn.Linear) else torch.ones(3, 8, 6, 6)
    layer(x).sum().backward()
    optimizer.step()


def loaded(layer: nn.Module) -> None:
    layer.load_state_dict({name: x + 1 for name, x in layer.state_dict().items()})


def replaced(layer: nn.Module) -> None:
    layer.weight = nn.Parameter(torch.ones_like(layer.weight))  # pyright: ignore[reportArgumentType]


def laid_out_anew(layer: nn.Module) -> None:
    layer.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    written_to(layer)


def seen(layer: Callable[[Tensor], Tensor], x: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
        return layer(x)


@pytest.mark.parametrize("change", [written_to, trained, loaded, replaced, laid_out_anew])
@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_the_same_as_torchs_own_before_and_after_a_change(make, change) -> None:
    ours, torchs, x = make()
    torchs.load_state_dict(ours.state_dict())
    assert torch.equal(seen(ours, x), seen(torchs, x))
    before = seen(ours, x)
    for layer in (ours, torchs):
        change(layer)
    assert torch.equal(seen(ours, x), seen(torchs, x))
    assert not torch.equal(seen(ours, x), before)


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copy_shares_no_cast_with_what_it_was_copied_from(make, copied) -> None:
    ours, torchs, x = make()
    for times in (1, 2, 3):  # as often as the original, which may lie where nothing lies any more
        seen(ours, x)
        twin = copied(ours)
        for _ in range(times):
            written_to(twin)
        torchs.load_state_dict(twin.state_dict())
        assert torch.equal(seen(twin, x), seen(torchs, x))
        torchs.load_state_dict(ours.state_dict())
        assert torch.equal(seen(ours, x), seen(torchs, x))


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_what_was_cast_without_gradient_keeps_none_from_the_next_loss(make) -> None:
    ours, _, x = make()
    seen(ours, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours(x).float().sum().backward()
    assert all(parameter.grad is not None and bool(parameter.grad.any()) for parameter in ours.parameters())


def test_each_dtype_has_its_own_cast_and_float32_has_none() -> None:
    ours, torchs, x = LAYERS["linear"]()
    torchs.load_state_dict(ours.state_dict())
    for dtype in (torch.bfloat16, torch.float16, torch.bfloat16):
        assert seen(ours, x, dtype).dtype == dtype
        assert torch.equal(seen(ours, x, dtype), seen(torchs, x, dtype))
    with torch.no_grad():
        assert torch.equal(ours(x), torchs(x))
    assert set(ours.state_dict()) == set(torchs.state_dict())


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_what_autocast_leaves_alone_is_left_alone(make) -> None:
    ours, torchs, x = make()
    torchs.load_state_dict(ours.state_dict())
    both = [layer.double() for layer in (ours, torchs)]
    assert torch.equal(*(seen(layer, x.double()) for layer in both))
    with torch.no_grad():
        assert ours.to("meta")(x.to("meta").double()).shape == torchs(x.double()).shape


@pytest.mark.filterwarnings("error")
def test_layers_made_where_nothing_is_versioned_work_too() -> None:
    with torch.inference_mode():
        ours, _, x = LAYERS["convolution"]()
        before = seen(ours, x)
        ours.weight.mul_(-2)  # pyright: ignore[reportCallIssue]
        assert not torch.equal(seen(ours, x), before)


def test_compiled_they_are_one_graph_that_sees_what_is_written() -> None:
    ours, torchs, x = LAYERS["convolution"]()
    seen(ours, x)
    compiled = torch.compile(ours, backend="eager", fullgraph=True)
    for _ in range(2):
        torchs.load_state_dict(ours.state_dict())
        assert torch.equal(seen(compiled, x), seen(torchs, x))
        written_to(ours)


class Made(TorchDispatchMode):
    """Numbers that were turned from float32 to bfloat16, and how many weights were laid out for oneDNN."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = self.layouts = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._to_copy.default and result.dtype == torch.bfloat16:
            self.numbers += result.numel()
        self.layouts += "reorder" in str(func)
        return result


def test_a_dream_makes_the_denoisers_weights_ready_in_its_first_step_alone() -> None:
    agent = JEDI.from_pretrained("breakout", device="cpu", overrides=["run.dtype=bfloat16"])
    dream = agent.dream_env(num_envs=1)
    dream.reset(seed=0)
    steps = []
    for _ in range(3):
        with Made() as made:
            dream.step([0])
        steps.append(made)
    denoiser = agent.world_model.denoiser
    weights = sum(p.numel() for p in denoiser.parameters())  # the heads' were needed to begin
    assert steps[0].numbers > 0.9 * weights
    assert steps[1].numbers == steps[2].numbers < 0.1 * weights
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        assert steps[0].layouts == sum(isinstance(layer, Linear | Conv2d) for layer in denoiser.modules())
        assert steps[1].layouts == steps[2].layouts == 0
